"""Tokens: signing in, renewing, leaving."""

from starlette.requests import Request
from starlette.responses import Response

from vyomo_paper_exchange.doors.smartapi.access import Session
from vyomo_paper_exchange.doors.smartapi.calls import Call, SmartDoor, admit
from vyomo_paper_exchange.doors.smartapi.envelope import AppError, GatewayError, success
from vyomo_paper_exchange.doors.smartapi.parameters import needed, parameters_of

_KEY_HEADER = "x-privatekey"
_CODE_MAX = 64


async def sign_in(request: Request, door: SmartDoor) -> Response:
    parameters = await parameters_of(request)
    client_code = needed(parameters, "clientcode")[:_CODE_MAX]
    admit(door, "login", client_code)
    session = await door.access.sign_in(
        _key(request), client_code, needed(parameters, "password"), needed(parameters, "totp")
    )
    row = _tokens(session)
    return success(row | {"state": parameters["state"]} if "state" in parameters else row)


async def renew(request: Request, door: SmartDoor) -> Response:
    """By the refresh token: the session's own may be over."""
    parameters = await parameters_of(request)
    refresh_token = needed(parameters, "refreshToken")
    admit(door, "renew", refresh_token)
    return success(_tokens(await door.access.renew(_key(request), refresh_token)))


async def leave(call: Call) -> object:
    parameters = await parameters_of(call.request)
    if needed(parameters, "clientcode") != call.caller.account.client_id:
        raise AppError("AB1011", "Client not logged in")
    await call.door.access.end(call.request)
    return ""


def _key(request: Request) -> str:
    key = request.headers.get(_KEY_HEADER, "").strip()
    if not key:
        raise GatewayError("AG8004", "Invalid API Key")
    return key


def _tokens(session: Session) -> dict[str, str]:
    return {
        "jwtToken": session.jwt.get_secret_value(),
        "refreshToken": session.refresh.get_secret_value(),
        "feedToken": session.feed.get_secret_value(),
    }
