"""Secrets that look like nothing are known because the process holds them."""

import subprocess
import sys

import pytest
from pydantic import SecretStr

from vyomo_service_kit.redaction import REDACTED, SecretsInUse, redact_text
from vyomo_service_kit.sealing import (
    PRIVATE_KEY_FILE,
    PUBLIC_KEY_FILE,
    Opener,
    Sealer,
    SecretPlace,
    ensure_keys,
)

FAILING = """
import sys, threading
from pathlib import Path
from pydantic import SecretStr
from vyomo_service_kit.logging import configure_logging
from vyomo_service_kit.sealing import *

configure_logging("test", log_format="json")
folder = Path(sys.argv[1])
ensure_keys(folder)
place = SecretPlace("asha", "angel", "A1", "password")
sealed = Sealer((folder / PUBLIC_KEY_FILE).read_bytes()).seal(SecretStr("correct horse"), place)
opened = Opener((folder / PRIVATE_KEY_FILE).read_bytes()).open(sealed, place)

class Strange:
    def __repr__(self):
        return f"<strange {opened.get_secret_value()}>"

import structlog
structlog.get_logger().warning("an.object", value=Strange(), nested=[Strange()])

def fail():
    raise ValueError(f"no such {opened.get_secret_value()}")

thread = threading.Thread(target=fail)
thread.start()
thread.join()
fail()
"""


def test_secret_in_use_is_removed_and_one_that_was_long_ago_is_forgotten() -> None:
    secrets = SecretsInUse(limit=2)
    for value in ("first-secret", "second-secret", "third-secret"):
        secrets.add(SecretStr(value))

    text = secrets.remove_from("first-secret, second-secret; third-secret")

    assert text == f"first-secret, {REDACTED}; {REDACTED}"


def test_secret_within_another_leaves_no_rest() -> None:
    secrets = SecretsInUse()
    for value in ("secret", "secret-and-more"):
        secrets.add(SecretStr(value))

    assert secrets.remove_from("told secret-and-more, secret") == f"told {REDACTED}, {REDACTED}"


def test_secret_of_a_few_characters_is_not_searched_for() -> None:
    secrets = SecretsInUse()
    secrets.add(SecretStr("1234"))

    assert secrets.remove_from("order 1234") == "order 1234"


@pytest.mark.parametrize(
    "text", ["token kR4s9Lq0Zx7Yw2Vt5Bn8Mc1Jd6Hf3GpA ended", "x=q8w7e6r5t4y3u2i1o0p9a8s7d6f5g4h3j2"]
)
def test_long_run_of_letters_and_digits_is_taken_for_a_token(text: str) -> None:
    assert REDACTED in redact_text(text)


@pytest.mark.parametrize(
    "text",
    [
        "ZERODHA_01KB2V7Q8W9E4R5T6Y7U8J9K0M was placed",
        "vyomo/services/broker0zerodha0src0vyomo0broker0zerodha/client.py",
        "a_name_in_a_program_that_is_long_and_has_2_digits",
        "aWordThatHasNoDigitsAndIsVeryLongIndeed",
    ],
)
def test_our_identifiers_and_paths_stay_readable(text: str) -> None:
    assert redact_text(text) == text


def test_what_ends_a_process_or_a_thread_is_written_without_its_secrets(tmp_path: object) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FAILING, f"{tmp_path}/keys"], capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert done.stderr.count(f"ValueError: no such {REDACTED}") == 2
    assert done.stdout.count(f"<strange {REDACTED}>") == 2
    assert "correct horse" not in done.stdout + done.stderr


def test_what_is_sealed_or_opened_is_known_from_then_on(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("a") / "keys"
    ensure_keys(folder)
    place = SecretPlace("asha", "angel", "A1", "password")
    assert redact_text("says open-sesame") == "says open-sesame"

    sealed = Sealer((folder / PUBLIC_KEY_FILE).read_bytes()).seal(SecretStr("open-sesame"), place)

    assert redact_text("says open-sesame") == f"says {REDACTED}"
    opened = Opener((folder / PRIVATE_KEY_FILE).read_bytes()).open(sealed, place)
    assert opened.get_secret_value() == "open-sesame"
