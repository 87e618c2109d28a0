"""How Kite answers: `{"status": "success", "data": ...}`, or an error with its type and its HTTP status.

KiteError
├── InputError        400  a parameter is missing or wrong
├── MarginError       400  no money
├── HoldingError      400  no shares
├── TokenError        403  sign in again
├── PermissionsError  403  not for this application
├── OrderError        500  the order cannot be changed
├── TooManyError      429  Kite calls it a NetworkException
├── NetworkError      503  the order system cannot be reached: what was asked may have happened
└── GeneralError      404, 405, 500
"""

from decimal import Decimal
from typing import Any, Final

import msgspec
from starlette.responses import Response

_encoder: Final = msgspec.json.Encoder(decimal_format="number")
_decoder: Final = msgspec.json.Decoder(float_hook=Decimal)


class KiteError(Exception):
    error_type = "GeneralException"
    status = 500

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InputError(KiteError):
    error_type = "InputException"
    status = 400


class MarginError(KiteError):
    error_type = "MarginException"
    status = 400


class HoldingError(KiteError):
    error_type = "HoldingException"
    status = 400


class TokenError(KiteError):
    error_type = "TokenException"
    status = 403


class PermissionsError(KiteError):
    error_type = "PermissionException"
    status = 403


class OrderError(KiteError):
    error_type = "OrderException"


class TooManyError(KiteError):
    error_type = "NetworkException"
    status = 429

    def __init__(self) -> None:
        super().__init__("Too many requests")


class NetworkError(KiteError):
    error_type = "NetworkException"
    status = 503


class GeneralError(KiteError):
    def __init__(self, message: str, status: int = 500) -> None:
        super().__init__(message)
        self.status = status


def encode(value: object) -> bytes:
    return _encoder.encode(value)


def decode(body: bytes) -> Any:
    """Raises InputError for what is no JSON."""
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, ArithmeticError, RecursionError):
        raise InputError("Invalid JSON in the request body.") from None


def success(data: object) -> Response:
    return Response(encode({"status": "success", "data": data}), media_type="application/json")


def failure(error: KiteError) -> Response:
    body = {"status": "error", "message": error.message, "error_type": error.error_type, "data": None}
    return Response(encode(body), error.status, media_type="application/json")
