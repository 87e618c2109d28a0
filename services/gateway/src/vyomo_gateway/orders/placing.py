"""The one way an order is placed over HTTP: `fast_lane` and the documented FastAPI route both call it."""

from collections.abc import Iterable

import structlog
from msgspec import UNSET
from starlette.types import Receive, Scope

from vyomo_contracts.commands import OrderReply
from vyomo_contracts.vocabulary import OrderState
from vyomo_gateway.edge.encoding import JsonResponse
from vyomo_gateway.edge.errors import as_api_error, error_response, internal_error
from vyomo_gateway.edge.parameters import refuse_query
from vyomo_gateway.edge.problems import AccountNotFoundError
from vyomo_gateway.edge.requests import LARGEST_ID, read_body
from vyomo_gateway.identity.callers import Caller
from vyomo_gateway.identity.guard import caller_in
from vyomo_gateway.orders.requests import (
    checked_idempotency_key,
    order_body_of,
    order_request_of,
    wait_seconds,
)
from vyomo_gateway.orders.schemas import OrderAnswer, OrderView
from vyomo_gateway.orders.service import OrderService
from vyomo_service_kit.identifiers import IdentifierFactory

log = structlog.get_logger()

_SENT_ON = frozenset({OrderState.NEW, OrderState.SUBMITTING, OrderState.UNCONFIRMED})


class OrderPlacer:
    def __init__(self, orders: OrderService, identifiers: IdentifierFactory) -> None:
        self._orders = orders
        self._identifiers = identifiers

    async def __call__(self, scope: Scope, receive: Receive, account_id: int) -> JsonResponse:
        """The answer to a POST of an order. Whatever it says, it names the idempotency key that was used."""
        key, prefer = _wishes(scope["headers"])
        headers: dict[str, str] = {}
        try:
            key = self._identifiers.message_id() if key is None else checked_idempotency_key(key)
            headers["Idempotency-Key"] = key
            if not 0 < account_id <= LARGEST_ID:
                raise AccountNotFoundError(account_id)
            refuse_query(scope["query_string"])
            request, warnings = order_request_of(order_body_of(await read_body(scope, receive)))
            caller = caller_in(scope)
            reply = await self._orders.place(caller, account_id, request, key)
            return await self._accepted(caller, reply, warnings, wait_seconds(prefer), headers)
        except Exception as error:
            refusal = as_api_error(error)
            if refusal is None:
                # Answered here, where the key is known: without it this order could not be asked for again safely.
                log.exception("order.place.failed")
                refusal = internal_error()
            refusal.headers.update(headers)
            return error_response(refusal)

    async def _accepted(
        self,
        caller: Caller,
        reply: OrderReply,
        warnings: list[str],
        seconds: int | None,
        headers: dict[str, str],
    ) -> JsonResponse:
        order = reply.order
        assert order is not None
        if reply.replayed:
            headers["Idempotency-Replayed"] = "true"
        status = 202
        if seconds is not None:
            headers["Preference-Applied"] = f"wait={seconds}"
            if seconds:
                order = await self._orders.until_answered(caller, order, seconds=seconds)
            status = 202 if order.state in _SENT_ON else 200
        answer = OrderAnswer(order=OrderView.of(order), warnings=warnings or UNSET)
        return JsonResponse(answer, status, headers)


def _wishes(headers: Iterable[tuple[bytes, bytes]]) -> tuple[str | None, str | None]:
    """The headers `Idempotency-Key` and `Prefer`."""
    key = prefer = None
    for name, value in headers:
        if name == b"idempotency-key":
            # Two keys make none that is valid: which of them was meant is not ours to guess.
            key = value.decode("latin-1") if key is None else f"{key}, {value.decode('latin-1')}"
        elif name == b"prefer":
            prefer = value.decode("latin-1") if prefer is None else f"{prefer},{value.decode('latin-1')}"
    return key, prefer
