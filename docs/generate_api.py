"""Writes `docs/api.md` from the OpenAPI document and the reason codes, so that it cannot go stale.

python docs/generate_api.py
"""

from pathlib import Path
from typing import Any, Final, cast

from vyomo_contracts.reasons import ReasonCode
from vyomo_gateway.app import create_app
from vyomo_gateway.edge.codes import ONLY_IN_ORDERS, SHOWN
from vyomo_gateway.services import Services

PAGE: Final = Path(__file__).parent / "api.md"
_METHODS: Final = ("get", "put", "post", "patch", "delete")

_HEAD: Final = """\
# API

Made by `python docs/generate_api.py`; the live reference with examples is at `/docs`, the document itself at `/openapi.json`.

Every call but `GET /api/health` needs `Authorization: Bearer <key>`. JSON is camelCase; prices are numbers with at most four decimals;
times are ISO-8601 UTC. Success is `{"success": true, ...}`; failure is
`{"success": false, "error": {"code", "message", "field"?, "detail"?}}` with the HTTP status below. Lists take `limit` (at most 500) and
`cursor`; `nextCursor` is in the answer when there is more. Bodies are at most 16 KB; a field that is unknown, there twice or of
another type is refused. Every GET also takes HEAD.

| Header | On | Meaning |
|---|---|---|
| `Idempotency-Key` | placing orders | 1 to 64 visible characters, kept for ever per account; made and returned if absent |
| `Idempotency-Replayed: true` | the answer | the key was used before: this is that order as it now is |
| `Prefer: wait=N` | placing and modifying orders | hold the answer until the broker answered, at most N seconds (10) |
| `Retry-After` | 503 and 429 | seconds after which a repeat makes sense |
"""


def page() -> str:
    # The document is made of the routes alone; no service behind them is touched.
    document = create_app(cast("Services", None)).openapi()
    parts = [_HEAD, "## Calls\n", _calls(document), "\n## WebSocket\n", _WEBSOCKET, "\n## Codes\n", _codes()]
    return "\n".join(parts) + "\n"


def _calls(document: dict[str, Any]) -> str:
    lines = ["| Call | What it does | Answers |", "|---|---|---|"]
    for path, operations in document["paths"].items():
        for method in _METHODS:
            operation = operations.get(method)
            if operation is not None:
                answers = ", ".join(sorted(operation["responses"]))
                lines.append(f"| `{method.upper()} {path}` | {operation['summary']} | {answers} |")
    return "\n".join(lines)


def _codes() -> str:
    lines = ["| Code | HTTP status | For example |", "|---|---|---|"]
    lines += [f"| `{code}` | {_status(code)} | {SHOWN[code].message} |" for code in ReasonCode]
    note = (
        "\nCodes of the venue and the system also stand in an order's `reasonCode`; those without a status stand only there. "
        "Codes are added,\nnever renamed or reused. Which call may answer which is in the live reference."
    )
    return "\n".join(lines) + "\n" + note


def _status(code: ReasonCode) -> str:
    return "-" if code in ONLY_IN_ORDERS else str(code.http_status.value)


_WEBSOCKET: Final = """\
`GET /ws` with the same header; `?since=<cursor>` resumes. The server says `hello`, what was missed, the present positions and margins,
`live`, and then what happens.

| Server says | With |
|---|---|
| `hello` | `cursor` |
| `order` | `cursor`, `sequence`, `order`, `trades`; `supersededTrades`: ids of inferred trades told earlier that `trades` replaces |
| `position`, `holding`, `margin` | the thing as it now is |
| `risk` | `cursor`, `sequence`, `event`: a switch, a change of limits or an exit-all |
| `alert` | `accountId`, `code`, `subject`, `message`, `raisedAt`: a person must look |
| `session` | `accountId`, `state` (NO_SESSION, ACTIVE, EXPIRING, EXPIRED), `validUntil`, `reason`: whether the broker lets us in |
| `price` | `prices`: the instruments that moved, at most ten messages a second |
| `live` | replay and snapshots are through |
| `subscribed`, `pong`, `error` | answers to what the client said |

| Client says | With |
|---|---|
| `subscribe`, `unsubscribe` | `instruments`: `["NSE:RELIANCE"]` |
| `ping` | |
"""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
