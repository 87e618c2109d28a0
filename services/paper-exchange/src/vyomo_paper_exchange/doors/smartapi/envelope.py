"""SmartAPI's two envelopes: the application's (`status`, `errorcode`) and its gateway's (`success`, `errorCode`); and a third answer, plain text.

SmartError
├── AppError      200  the application says no: a parameter, an order, a login
├── GatewayError  403  the gateway says no before the application sees it: token, API key, address
└── TooManyError  403  too often: plain text, no envelope
"""

from decimal import Decimal
from typing import Any, Final

import msgspec
from starlette.responses import PlainTextResponse, Response

TOO_OFTEN: Final = "Access denied because of exceeding access rate"

_encoder: Final = msgspec.json.Encoder(decimal_format="number")
_decoder: Final = msgspec.json.Decoder(float_hook=Decimal)


class SmartError(Exception):
    """`code` is of SmartAPI's table."""

    def __init__(self, code: str, message: str, status: int = 200) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status

    def response(self) -> Response:
        body = {"status": False, "message": self.message, "errorcode": self.code, "data": None}
        return Response(encode(body), self.status, media_type="application/json")


class AppError(SmartError):
    pass


class InputError(AppError):
    """A field is missing or wrong."""

    def __init__(self, message: str, code: str = "AB1007") -> None:
        super().__init__(code, message)


class GatewayError(SmartError):
    def __init__(self, code: str, message: str, status: int = 403) -> None:
        super().__init__(code, message, status)

    def response(self) -> Response:
        body = {"success": False, "message": self.message, "errorCode": self.code, "data": ""}
        return Response(encode(body), self.status, media_type="application/json")


class TooManyError(SmartError):
    def __init__(self) -> None:
        super().__init__("AB1021", TOO_OFTEN, 403)

    def response(self) -> Response:
        return PlainTextResponse(self.message, self.status)


def unsure() -> AppError:
    """Nobody knows whether it was done."""
    return AppError("AB1004", "Something Went Wrong, Please Try After Sometime")


def encode(value: object) -> bytes:
    return _encoder.encode(value)


def decode(body: bytes) -> Any:
    """Raises InputError for what is no JSON."""
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, ArithmeticError, RecursionError, ValueError):
        raise InputError("Invalid JSON in the request body") from None


def success(data: object) -> Response:
    """Empty books are null, as the broker has it."""
    shown = None if data == [] else data
    body = {"status": True, "message": "SUCCESS", "errorcode": "", "data": shown}
    return Response(encode(body), media_type="application/json")
