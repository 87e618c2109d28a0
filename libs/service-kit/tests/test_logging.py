"""What a process writes, read as an operator's tool would read it: a real process, its standard output."""

import json
import subprocess
import sys
from typing import Any, Literal

import pytest

from vyomo_service_kit.redaction import REDACTED, redact_text

SECRETS = {
    "our key": "vy_live_A1B2C3D4_s3cr3tpart-of_the_key",
    "JSON web token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
    "URL password": "nats://vyomo:hunter2hunter2@127.0.0.1:4222",
    "URL password without a user": "redis://:hunter2hunter2@127.0.0.1",
    "token in a query": "https://kite.trade/connect?request_token=hunter2hunter2&status=ok",
}
PARTS = ("s3cr3tpart", "eyJzdWIi", "c2lnbmF0", "hunter2")

PROGRAM = """
import logging, sys
import structlog
from vyomo_service_kit.logging import configure_logging

configure_logging("test", log_format=sys.argv[1], level="info")
log = structlog.get_logger()
secret = sys.argv[2]
log.debug("too.quiet", value=secret)
log.info("order.placed", order_id="PAPER_01", quantity=10)
log.info("as.text", value=f"before {secret} after")
log.info("as.name", password="hunter2", apiSecret="hunter2", totp_secret="hunter2", access_token="hunter2", key_id="K1")
log.info("nested", body={"symbol": "NIFTY", "password": "hunter2", "list": [{"pin": "hunter2"}, secret]})
logging.getLogger("library").warning("connecting to %s", secret)
try:
    raise ValueError(f"cannot connect to {secret}")
except ValueError:
    log.exception("failed")
"""


def lines_of(log_format: Literal["json", "console"], secret: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, log_format, secret], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.mark.parametrize("log_format", ["json", "console"])
@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
def test_no_secret_is_written_however_it_got_into_a_line(
    log_format: Literal["json", "console"], secret: str
) -> None:
    written = "\n".join(lines_of(log_format, secret))

    assert REDACTED in written
    assert not [part for part in PARTS if part in written]


def test_lines_are_json_objects_with_the_service_and_what_is_no_secret() -> None:
    events: dict[str, dict[str, Any]] = {
        event["event"]: event for event in map(json.loads, lines_of("json", SECRETS["URL password"]))
    }

    assert "too.quiet" not in events
    placed = events["order.placed"]
    assert (placed["service"], placed["level"], placed["quantity"]) == ("test", "info", 10)
    assert placed["timestamp"].endswith("Z")
    assert events["as.text"]["value"] == f"before nats://vyomo:{REDACTED}@127.0.0.1:4222 after"
    assert events["as.name"]["key_id"] == "K1"
    assert events["nested"]["body"]["symbol"] == "NIFTY"
    assert "ValueError: cannot connect" in events["failed"]["exception"]
    assert events["library"]["message"] == f"connecting to nats://vyomo:{REDACTED}@127.0.0.1:4222"


@pytest.mark.parametrize(
    "text", ["order PAPER_01JABC placed at 250.50", "http://127.0.0.1:3011/api/orders", "a@b.example", ""]
)
def test_text_without_a_secret_is_left_alone(text: str) -> None:
    assert redact_text(text) == text
