from typing import Annotated, Final

from fastapi import APIRouter, Body, Path, Request, Response

from vyomo_contracts.reasons import ReasonCode
from vyomo_gateway.edge import examples
from vyomo_gateway.edge.documentation import BODY_ERRORS, PARAMETER_ERRORS, answers
from vyomo_gateway.edge.encoding import JsonResponse
from vyomo_gateway.edge.problems import UnauthenticatedError
from vyomo_gateway.edge.requests import GatewayRoute
from vyomo_gateway.identity.authentication import BROWSER
from vyomo_gateway.identity.browsers import COOKIE, LONGEST
from vyomo_gateway.identity.guard import credential_of
from vyomo_gateway.identity.schemas import (
    LinkBody,
    ListedSessionsAnswer,
    ListedSessionView,
    SignedInAnswer,
    SignedOutAnswer,
)
from vyomo_gateway.services import Serving

router = APIRouter(prefix="/api/auth", tags=["sign-in"], route_class=GatewayRoute)
_PUBLIC: Final = (ReasonCode.UNAUTHENTICATED, ReasonCode.RECORD_UNAVAILABLE, ReasonCode.INTERNAL_ERROR)


@router.post(
    "/link",
    summary="Sign a browser in with a link of `./vyomo link`",
    response_model=None,
    responses=answers(SignedInAnswer, examples.SIGNED_IN, *BODY_ERRORS, common=_PUBLIC),
)
async def sign_in(
    body: Annotated[LinkBody, Body(openapi_examples=examples.LINK_REQUEST)],
    request: Request,
    services: Serving,
) -> Response:
    address, user_agent = services.origins.of(request.scope)
    token, session = await services.browsers.sign_in(
        body.token.get_secret_value(), address=address, user_agent=user_agent
    )
    response = JsonResponse(SignedInAnswer.of(session, token))
    # Strict, so that no other site's link or page makes the browser send it; `Secure` wherever there is TLS.
    response.set_cookie(
        COOKIE,
        token,
        max_age=int(LONGEST.total_seconds()),
        path="/",
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return response


@router.get(
    "/session",
    summary="Who is signed in with this browser",
    response_model=None,
    responses=answers(SignedInAnswer, examples.SIGNED_IN),
)
async def read_session(request: Request, services: Serving) -> JsonResponse:
    token = _token(request)
    return JsonResponse(SignedInAnswer.of(await services.browsers.authenticate(token), token))


@router.post(
    "/logout",
    summary="Sign this browser out",
    response_model=None,
    responses=answers(SignedOutAnswer, {"success": True}),
)
async def sign_out(request: Request, services: Serving) -> Response:
    session = await services.browsers.authenticate(_token(request))
    await services.browsers.end(session.user_id, session.session_id)
    response = JsonResponse(SignedOutAnswer())
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
    return response


@router.get(
    "/sessions",
    summary="Browsers that are signed in as you",
    response_model=None,
    responses=answers(ListedSessionsAnswer, examples.SIGNED_IN_BROWSERS),
)
async def list_sessions(request: Request, services: Serving) -> JsonResponse:
    session = await services.browsers.authenticate(_token(request))
    sessions = await services.browsers.list(session.user_id)
    return JsonResponse(ListedSessionsAnswer(sessions=[ListedSessionView.of(each) for each in sessions]))


@router.delete(
    "/sessions/{session_id}",
    summary="Sign a browser out from elsewhere",
    response_model=None,
    responses=answers(SignedOutAnswer, {"success": True}, *PARAMETER_ERRORS),
)
async def end_session(
    session_id: Annotated[str, Path(pattern="^[0-9a-f]{16}$", examples=["3f9a1c0e5b7d2468"])],
    request: Request,
    services: Serving,
) -> JsonResponse:
    """Afterwards it is not signed in, whether it was before or not."""
    session = await services.browsers.authenticate(_token(request))
    await services.browsers.end(session.user_id, session_id)
    return JsonResponse(SignedOutAnswer())


def _token(request: Request) -> str:
    credential = credential_of(request.scope)
    if credential is None or not credential.startswith(BROWSER):
        raise UnauthenticatedError("this is about a browser, and an API key was used")
    return credential[len(BROWSER) :]
