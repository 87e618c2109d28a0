from fastapi import APIRouter

from vyomo_gateway.edge import examples
from vyomo_gateway.edge.documentation import answers
from vyomo_gateway.edge.encoding import JsonResponse
from vyomo_gateway.edge.requests import TolerantRoute
from vyomo_gateway.services import Serving
from vyomo_gateway.system.service import HealthAnswer, UnhealthyAnswer

router = APIRouter(tags=["system"], route_class=TolerantRoute)


@router.get(
    "/api/health",
    summary="Is the system able to serve? Needs no key",
    response_model=None,
    responses=answers(
        HealthAnswer,
        examples.HEALTH,
        common=(),
        otherwise={503: (UnhealthyAnswer, examples.UNHEALTHY, "The bus or the database does not answer")},
    ),
)
async def read_health(services: Serving) -> JsonResponse:
    health = await services.health.check()
    return (
        JsonResponse(health)
        if isinstance(health, HealthAnswer)
        else JsonResponse(health, 503, {"Retry-After": "1"})
    )
