import json
from typing import Any

import pytest

from vyomo_broker_angel.errors import REFUSALS, SESSION_OVER, UNREGISTERED, outcome_of
from vyomo_broker_kit.http import Answer
from vyomo_broker_kit.outcomes import Accepted, NotSent, Outcome, RateLimited, Refused, Unknown


def outcome(status: int, body: Any) -> Outcome:
    return outcome_of(Answer(status, body if isinstance(body, bytes) else json.dumps(body).encode()))


def application(code: str, message: str = "no") -> dict[str, Any]:
    return {"status": False, "message": message, "errorcode": code, "data": None}


def gateway(code: str, message: str = "no") -> dict[str, Any]:
    return {"success": False, "message": message, "errorCode": code, "data": ""}


PLACED = {
    "status": True,
    "message": "SUCCESS",
    "errorcode": "",
    "data": {"script": "SBIN-EQ", "orderid": "250411000548062", "uniqueorderid": "a-b"},
}


def test_acceptance() -> None:
    assert outcome(200, PLACED) == Accepted("250411000548062")


@pytest.mark.parametrize("spelling", [application, gateway])
@pytest.mark.parametrize("status", [200, 400, 401, 403])
@pytest.mark.parametrize("code", sorted(REFUSALS - {UNREGISTERED}))
def test_refusals_in_both_spellings(code: str, status: int, spelling: Any) -> None:
    assert outcome(status, spelling(code, "Insufficient Funds")) == Refused(
        code, "Insufficient Funds", ends_session=code in SESSION_OVER
    )


@pytest.mark.parametrize("spelling", [application, gateway])
def test_unregistered_address_is_refused_with_the_way_out(spelling: Any) -> None:
    refused = outcome(403, spelling("AG7002", "Invalid IP"))

    assert isinstance(refused, Refused)
    assert refused.text.startswith("Invalid IP (")
    assert "docs/static-ip.md" in refused.text
    assert not refused.ends_session


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (403, b"Access denied because of exceeding access rate"),
        (429, b""),
        (200, application("AB1021", "Too many requests")),
    ],
)
def test_too_often(status: int, body: Any) -> None:
    assert outcome(status, body) == RateLimited("too many requests")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, application("AB1004", "Something Went Wrong")),
        (200, application("AB1007", "AMX error")),
        (200, application("AB1013", "order not found")),
        (200, application("AB2000")),
        (200, application("AB2001")),
        (200, application("")),
        (200, application("XY0001", "a code of tomorrow")),
        (500, application("AB2020")),
        (502, b"<html>Bad Gateway</html>"),
        (403, b"<html>Forbidden</html>"),
        (302, b""),
        (200, {**PLACED, "data": None}),
        (200, {**PLACED, "data": {"orderid": None}}),
        (200, {**PLACED, "data": {"orderid": ""}}),
        (500, PLACED),
        (200, [PLACED]),
        (200, b'{"status":true,"data":{"orderid":"2504'),
        (200, {"status": "false", "errorcode": "AB2020", "message": "a word, not a truth value"}),
        (200, b""),
    ],
)
def test_anything_else_is_unknown(status: int, body: Any) -> None:
    assert isinstance(outcome(status, body), Unknown)


@pytest.mark.parametrize("nothing", [NotSent("ConnectError"), Unknown("ReadTimeout")])
def test_what_the_transport_says_stays(nothing: NotSent | Unknown) -> None:
    assert outcome_of(nothing) is nothing
