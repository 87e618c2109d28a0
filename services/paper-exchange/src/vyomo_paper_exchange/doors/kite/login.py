"""The page a user signs in at, and the tokens that come of it."""

from html import escape
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from vyomo_paper_exchange.doors.kite import rows
from vyomo_paper_exchange.doors.kite.access import Caller, Session
from vyomo_paper_exchange.doors.kite.calls import KiteDoor
from vyomo_paper_exchange.doors.kite.envelope import (
    GeneralError,
    InputError,
    KiteError,
    PermissionsError,
    success,
)
from vyomo_paper_exchange.doors.kite.parameters import needed, parameters_of
from vyomo_paper_exchange.doors.logins import DoorLogin

_STYLE: Final = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 0; min-height: 100vh; display: grid; place-items: center;
       color: #1c2430; background: #f3f5f8 }
main { background: #fff; border: 1px solid #d9dfe7; border-radius: 12px; padding: 2rem; max-width: 24rem; margin: 1rem }
h1 { font-size: 1.25rem; margin: 0 0 .5rem } p { margin: 0 0 1.25rem; color: #47536a } code { overflow-wrap: anywhere }
button { font: inherit; padding: .55rem 1.1rem; border-radius: 8px; border: 1px solid #1f6feb; cursor: pointer }
button[value=allow] { background: #1f6feb; color: #fff } button[value=deny] { background: #fff; color: #1f6feb }
button:focus-visible { outline: 3px solid #9cc3ff }
@media (prefers-color-scheme: dark) { body { background: #10151d; color: #e6ebf2 } main { background: #1a212c;
  border-color: #303b4b } p { color: #a9b5c6 } button[value=deny] { background: transparent; color: #8ab8ff } }
"""
_HEADERS: Final = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
}


async def show(request: Request, door: KiteDoor) -> Response:
    """The page; nothing is issued before somebody presses the button."""
    try:
        login = await _asked_for(door, dict(request.query_params))
    except KiteError as error:
        return _page("This link does not work", f"<p>{escape(error.message)}</p>", error.status)
    fields = "".join(
        f'<input type="hidden" name="{name}" value="{escape(request.query_params.get(name, ""))}">'
        for name in ("v", "api_key", "redirect_params")
    )
    return _page(
        f"Sign in as {login.account.client_id}",
        "<p>This is the sandbox: a paper exchange that speaks Kite Connect. No real order is placed and no real money moves.</p>"
        f'<form method="post" action="login">{fields}<button name="decision" value="allow" autofocus>Sign in</button> '
        '<button name="decision" value="deny">Cancel</button></form>',
    )


async def sign_in(request: Request, door: KiteDoor) -> Response:
    """Back to the registered address with a request token; programs that ask for JSON get it in the answer."""
    parameters = await parameters_of(request)
    login = await _asked_for(door, parameters)
    is_allowed = parameters.get("decision", "allow") != "deny"
    outcome = {"action": "login", "status": "success" if is_allowed else "cancelled", "type": "login"}
    if is_allowed:
        outcome["request_token"] = door.access.issue_request_token(login)
    if "application/json" in request.headers.get("accept", ""):
        return JSONResponse({"status": "success", "data": outcome}, headers=_HEADERS)
    target = login.redirect_url or (None if login.account.is_linked else door.redirect_url)
    if target is None:
        shown = escape(outcome.get("request_token", "none: you said no"))
        return _page(
            "Signed in", f"<p>The request token, for two minutes and one use:</p><code>{shown}</code>"
        )
    return RedirectResponse(_with_query(target, outcome, parameters), 302, headers=_HEADERS)


async def create_session(request: Request, door: KiteDoor) -> Response:
    parameters = await parameters_of(request)
    session = await door.access.exchange(
        needed(parameters, "api_key"), needed(parameters, "request_token"), needed(parameters, "checksum")
    )
    return success(_session_row(session))


async def end_session(request: Request, door: KiteDoor) -> Response:
    parameters = await parameters_of(request)
    if "refresh_token" in parameters:
        raise PermissionsError("Refresh tokens are not available for this application.")
    await door.access.end(needed(parameters, "api_key"), needed(parameters, "access_token"))
    return success(data=True)


async def refresh(request: Request, door: KiteDoor) -> Response:
    """Kite gives refresh tokens to approved platforms alone."""
    del request, door
    raise PermissionsError("Refresh tokens are not available for this application.")


async def _asked_for(door: KiteDoor, parameters: dict[str, str]) -> DoorLogin:
    if parameters.get("v", "3") != "3":
        raise InputError("Invalid `v`. It should be 3.")
    return await door.access.login_of(needed(parameters, "api_key"))


def _session_row(session: Session) -> dict[str, object]:
    login = session.login
    caller = Caller(login.account, login.profile, login.api_key.get_secret_value())
    return {
        **rows.profile_row(caller),
        "api_key": caller.api_key,
        "access_token": session.access_token.get_secret_value(),
        "public_token": session.public_token.get_secret_value(),
        "enctoken": "",
        "refresh_token": "",
        "silo": "",
        "login_time": rows.time_text(session.signed_in_at),
    }


def _with_query(target: str, outcome: dict[str, str], parameters: dict[str, str]) -> str:
    parts = urlsplit(target)
    echoed = parse_qsl(parameters.get("redirect_params", ""), keep_blank_values=True)
    query = [*parse_qsl(parts.query, keep_blank_values=True), *outcome.items(), *echoed]
    return urlunsplit(parts._replace(query=urlencode(query)))


def _page(title: str, body: str, status: int = 200) -> Response:
    text = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>'
        f"<body><main><h1>{escape(title)}</h1>{body}</main></body></html>"
    )
    return HTMLResponse(text, status, headers=_HEADERS)


def not_found(status: int) -> KiteError:
    return GeneralError("Route not found" if status == 404 else "Method not allowed", status)
