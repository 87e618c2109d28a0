"""What goes wrong, as the caller reads it: a stable code, a sentence that says what would be right, the field's public name.

ApiError
├── MalformedJsonError        the body is not JSON
├── BodyTooLargeError         above the limit
├── UnsupportedMediaTypeError the body is not declared as JSON
├── InvalidRequestError       a field is missing, unknown or wrong
├── UnauthenticatedError      no key, or not a valid one
├── ForeignPageError          the browser was made to ask by another page
├── ScopeMissingError         the key may not do this
├── UserMismatchError         another user's id
├── AccountNotFoundError      no such account of the caller
├── OrderNotFoundError        no such order of that account
├── RefusedError              a service said no
└── UnavailableError          a part of the system is down; try again
"""

from collections.abc import Mapping
from typing import Any

from pydantic.alias_generators import to_camel

from vyomo_contracts.messages import Problem
from vyomo_contracts.orders import Order
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import Scope
from vyomo_gateway.edge.codes import SHOWN

_RETRY_AFTER_SECONDS = 1
_RETRYABLE = frozenset({503, 429})


class ApiError(Exception):
    """Base of every answer that is not a success."""

    def __init__(
        self,
        code: ReasonCode,
        message: str,
        *,
        field: str | None = None,
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field
        self.detail = detail
        self.order: Order | None = None
        self.headers: dict[str, str] = {}
        if code.http_status in _RETRYABLE:
            told = (detail or {}).get("retryAfterSeconds", _RETRY_AFTER_SECONDS)
            self.headers["Retry-After"] = str(told)


class MalformedJsonError(ApiError):
    def __init__(self, why: str) -> None:
        super().__init__(ReasonCode.MALFORMED_JSON, f"the body is not valid JSON: {why}")


class BodyTooLargeError(ApiError):
    def __init__(self, limit_bytes: int) -> None:
        super().__init__(ReasonCode.BODY_TOO_LARGE, f"the body must not be larger than {limit_bytes} bytes")
        self.headers["Connection"] = "close"


class UnsupportedMediaTypeError(ApiError):
    def __init__(self) -> None:
        super().__init__(
            ReasonCode.UNSUPPORTED_MEDIA_TYPE,
            "send a JSON body with the header Content-Type: application/json",
        )


class InvalidRequestError(ApiError):
    """One or more fields are wrong; the first is named, all are in `detail`."""

    def __init__(self, problems: list[Problem]) -> None:
        first, *others = problems
        detail = first.detail
        if others:
            listed = [{"code": p.code, "field": p.field, "message": p.message} for p in problems]
            detail = {"problems": listed}
        super().__init__(first.code, first.message, field=first.field, detail=detail)

    @classmethod
    def one(cls, code: ReasonCode, field: str, message: str) -> "InvalidRequestError":
        return cls([Problem(code=code, field=field, message=message)])


class UnauthenticatedError(ApiError):
    def __init__(self, why: str) -> None:
        super().__init__(ReasonCode.UNAUTHENTICATED, why)
        self.headers["WWW-Authenticate"] = "Bearer"


class ForeignPageError(ApiError):
    def __init__(self) -> None:
        super().__init__(
            ReasonCode.FOREIGN_PAGE,
            "this browser session serves the dashboard's own page only: reload it; programs use an API key",
        )


class ScopeMissingError(ApiError):
    def __init__(self, scope: Scope) -> None:
        super().__init__(
            ReasonCode.SCOPE_MISSING,
            f"this API key lacks the scope {scope}; use a key that has it",
            detail={"scope": scope},
        )


class UserMismatchError(ApiError):
    def __init__(self) -> None:
        super().__init__(
            ReasonCode.USER_MISMATCH,
            "userId must be the user the API key belongs to, or be left out",
            field="userId",
        )


class AccountNotFoundError(ApiError):
    def __init__(self, account_id: object) -> None:
        super().__init__(ReasonCode.ACCOUNT_NOT_FOUND, f"you have no account {account_id}", field="accountId")


class OrderNotFoundError(ApiError):
    def __init__(self, order_id: str) -> None:
        super().__init__(ReasonCode.ORDER_NOT_FOUND, f"this account has no order {order_id}", field="orderId")


class RefusedError(ApiError):
    """A service's `Problem`, with the order when one was recorded all the same."""

    def __init__(self, problem: Problem, order: Order | None = None) -> None:
        field = problem.field and (to_camel(problem.field) if "_" in problem.field else problem.field)
        super().__init__(problem.code, problem.message, field=field, detail=problem.detail)
        self.order = order


class UnavailableError(ApiError):
    def __init__(self, code: ReasonCode) -> None:
        super().__init__(code, SHOWN[code].message)
