"""Reading a request: at most so many bytes, JSON only, numbers without floats."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any, ClassVar, Final

from fastapi import Path, Request, Response
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Query
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope

from vyomo_gateway.edge.encoding import decode_json
from vyomo_gateway.edge.parameters import refuse_unknown_parameters
from vyomo_gateway.edge.problems import BodyTooLargeError, UnsupportedMediaTypeError

BODY_LIMIT_BYTES: Final = 16 * 1024
_DISCARD_LIMIT_BYTES: Final = 1024 * 1024
LARGEST_ID: Final = 2**63 - 1

AccountNumber = Annotated[int, Path(ge=1, le=LARGEST_ID, description="Account id", examples=[1])]
OrderNumber = Annotated[
    str,
    Path(
        max_length=64,
        pattern=r"^[\x21-\x7e]+$",  # what else may stand in a path, also NUL, no order is called
        description="Our order id",
        examples=["PAPER_06F2M7Q8Z5X3K9V1T4B6N0R2YA"],
    ),
]


async def read_body(scope: Scope, receive: Receive) -> bytes:
    """The whole body.

    Raises:
        BodyTooLargeError: above the limit.
        UnsupportedMediaTypeError: there is a body and it is not declared as JSON.
    """
    declared_json = False
    for name, value in scope["headers"]:
        if name == b"content-type":
            declared_json = _is_json(value)
    message = await receive()
    body: bytes = message.get("body", b"")
    if message.get("more_body"):
        body = await _read_on(body, receive)
    if len(body) > BODY_LIMIT_BYTES:
        raise BodyTooLargeError(BODY_LIMIT_BYTES)
    if body and not declared_json:
        raise UnsupportedMediaTypeError
    return body


async def _read_on(start: bytes, receive: Receive) -> bytes:
    """The body, or so much of it that it is seen to be too large; more is read but not kept, so that a client who sends first
    and reads then gets its answer.
    """
    body = bytearray(start)
    read = len(body)
    more = True
    while more and read <= _DISCARD_LIMIT_BYTES:
        message = await receive()
        piece = message.get("body", b"")
        read += len(piece)
        if len(body) <= BODY_LIMIT_BYTES:
            body += piece
        more = message.get("more_body", False)
    return bytes(body)


def _is_json(content_type: bytes) -> bool:
    return content_type.partition(b";")[0].strip().lower() == b"application/json"


class _DecodedRequest(Request):
    """A request whose JSON is already read, with `Decimal` numbers."""

    async def load(self) -> None:
        self._body = await read_body(self.scope, self.receive)
        self._json = decode_json(self._body) if self._body else None


class GatewayRoute(APIRoute):
    """A FastAPI route that takes its body from `read_body` and `decode_json`, and no query parameter it does not know."""

    ignores_unknown_parameters: ClassVar[bool] = False

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        parameters = get_flat_params(self.dependant)
        known = [each.alias for each in parameters if isinstance(each.field_info, Query)]
        has_body = self.body_field is not None

        async def decode_then_handle(request: Request) -> Response:
            if request.scope["query_string"] and not self.ignores_unknown_parameters:
                refuse_unknown_parameters(request.query_params.keys(), known)
            if not has_body:
                return await handle(request)
            decoded = _DecodedRequest(request.scope, request.receive)
            await decoded.load()
            return await handle(decoded)

        return decode_then_handle


class TolerantRoute(GatewayRoute):
    """For a call that must answer whatever is said with it."""

    ignores_unknown_parameters = True
