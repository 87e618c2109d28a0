"""Steering a scripted broker, and reading its truth, from another process.

    GET  /admin/truth                                      orders by tag, arrivals by the broker's own clock
    POST /admin/script    {"behaviours": [{...}, ...]}     what happens to the next place calls; "changes": true for the others
    POST /admin/steer     {"muted", "mix", "default", "book_lag_seconds", "failing_reads", "expired_sessions", "drift", "book_seconds"}   any of them
    POST /admin/place     {"account_id", "symbol", ...}    an order placed elsewhere

The endpoint answers while the broker is mute.
"""

from typing import TYPE_CHECKING, Any

from vyomo_broker_kit.testing.behaviour import COMMON_WEIGHTS, FaultMix, behaviour_of
from vyomo_broker_kit.testing.wire import Request, error, response

if TYPE_CHECKING:
    from vyomo_broker_kit.testing.scripted_broker import ScriptedBroker


def answer(broker: "ScriptedBroker", request: Request) -> bytes:
    try:
        content = _serve(broker, request)
    except (KeyError, TypeError, ValueError) as problem:
        return error(400, "Malformed", repr(problem))
    return response(200, content)


def _serve(broker: "ScriptedBroker", request: Request) -> dict[str, Any]:
    body = request.body
    match request.method, request.path:
        case "GET", "/admin/truth":
            return broker.truth()
        case "POST", "/admin/script":
            behaviours = [behaviour_of(each) for each in body["behaviours"]]
            (broker.script_changes if body.get("changes") else broker.script)(*behaviours)
            return {"scripted": len(behaviours)}
        case "POST", "/admin/place":
            order = broker.place_elsewhere(**body)
            return {"order_id": order.order_id}
        case "POST", "/admin/steer":
            for name, value in body.items():
                _steer(broker, name, value)
            return {"steered": sorted(body)}
        case _:
            raise ValueError(f"{request.method} {request.path}")


def _steer(broker: "ScriptedBroker", name: str, value: Any) -> None:
    match name:
        case "muted":
            (broker.go_mute if value else broker.speak)()
        case "mix":
            broker.mix = (
                None if value is None else FaultMix(value["seed"], value.get("weights", COMMON_WEIGHTS))
            )
        case "default":
            broker.default = behaviour_of(value)
        case "book_lag_seconds":
            broker.book_lag_seconds = float(value)
        case "book_seconds":
            broker.venue.book_seconds = None if value is None else float(value)
        case "failing_reads":
            broker.failing_reads = dict(value)
        case "expired_sessions":
            broker.expired_sessions = set(value)
        case "drift":
            broker.venue.drift = {(each["account_id"], each["symbol"]): each["quantity"] for each in value}
        case _:
            raise ValueError(f"nothing called {name!r} can be steered")
