import base64
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from vyomo_service_kit.sealing import (
    DOOR_KEY_FILE,
    PEPPER_FILE,
    PRIVATE_KEY_FILE,
    PUBLIC_KEY_FILE,
    Opener,
    Sealer,
    SealError,
    SecretPlace,
    ensure_keys,
)

PLACE = SecretPlace(user_id="asha", broker="angel", client_id="A1", field="password")


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    folder = tmp_path / "keys"
    ensure_keys(folder)
    return folder


@pytest.fixture
def sealer(keys: Path) -> Sealer:
    return Sealer((keys / PUBLIC_KEY_FILE).read_bytes())


@pytest.fixture
def opener(keys: Path) -> Opener:
    return Opener((keys / PRIVATE_KEY_FILE).read_bytes())


@pytest.mark.parametrize("secret", ["", "1234", "पासवर्ड", "x" * 5000])
def test_sealed_secret_opens_to_what_it_was(sealer: Sealer, opener: Opener, secret: str) -> None:
    sealed = sealer.seal(SecretStr(secret), PLACE)

    assert opener.open(sealed, PLACE).get_secret_value() == secret
    assert secret not in sealed or not secret


def test_same_secret_is_sealed_differently_each_time(sealer: Sealer) -> None:
    assert sealer.seal(SecretStr("1234"), PLACE) != sealer.seal(SecretStr("1234"), PLACE)


@pytest.mark.parametrize(
    "elsewhere",
    [
        replace(PLACE, user_id="bela"),
        replace(PLACE, broker="zerodha"),
        replace(PLACE, client_id="A2"),
        replace(PLACE, field="totpSecret"),
        replace(PLACE, version=2),
    ],
    ids=["user", "broker", "client", "field", "version"],
)
def test_secret_moved_to_another_row_or_field_does_not_open(
    sealer: Sealer, opener: Opener, elsewhere: SecretPlace
) -> None:
    sealed = sealer.seal(SecretStr("1234"), PLACE)

    with pytest.raises(SealError):
        opener.open(sealed, elsewhere)


def test_secret_with_any_byte_altered_does_not_open(sealer: Sealer, opener: Opener) -> None:
    prefix, body = sealer.seal(SecretStr("1234"), PLACE).split(".")
    raw = base64.urlsafe_b64decode(body)

    for place in range(len(raw)):
        altered = bytearray(raw)
        altered[place] ^= 1
        with pytest.raises(SealError):
            opener.open(f"{prefix}.{base64.urlsafe_b64encode(altered).decode()}", PLACE)


@pytest.mark.parametrize("nonsense", ["", "plain", "vys1.", "vys1.AAAA", "vys1.%%%", "vys1." + "A" * 100])
def test_what_was_never_sealed_does_not_open(opener: Opener, nonsense: str) -> None:
    with pytest.raises(SealError):
        opener.open(nonsense, PLACE)


def test_secret_sealed_for_another_installation_does_not_open(sealer: Sealer, tmp_path: Path) -> None:
    ensure_keys(tmp_path / "other")
    other = Opener((tmp_path / "other" / PRIVATE_KEY_FILE).read_bytes())

    with pytest.raises(SealError):
        other.open(sealer.seal(SecretStr("1234"), PLACE), PLACE)


def test_key_files_are_their_owners_alone(keys: Path) -> None:
    assert stat.S_IMODE(keys.stat().st_mode) == 0o700
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in keys.iterdir()} == {
        PRIVATE_KEY_FILE: 0o600,
        PUBLIC_KEY_FILE: 0o600,
        PEPPER_FILE: 0o600,
        DOOR_KEY_FILE: 0o600,
    }


def test_keys_that_exist_are_kept(keys: Path) -> None:
    before = {path.name: path.read_bytes() for path in keys.iterdir()}

    ensure_keys(keys)

    assert {path.name: path.read_bytes() for path in keys.iterdir()} == before


def test_start_that_died_between_the_two_keys_is_completed(keys: Path, opener: Opener) -> None:
    (keys / PUBLIC_KEY_FILE).unlink()

    ensure_keys(keys)

    sealed = Sealer((keys / PUBLIC_KEY_FILE).read_bytes()).seal(SecretStr("1234"), PLACE)
    assert opener.open(sealed, PLACE).get_secret_value() == "1234"
