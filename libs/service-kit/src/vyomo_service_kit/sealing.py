"""Credentials sealed to the workers: the gateway holds a public key and can only close, workers hold the private one.

X25519 with a fresh key a message, HKDF-SHA256, AES-256-GCM. The associated data names user, broker, client id, field and
version, so a sealed value moved to another row or field does not open.
"""

import argparse
import base64
import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

from vyomo_service_kit.redaction import SECRETS_IN_USE

PRIVATE_KEY_FILE = "workers.key"
PUBLIC_KEY_FILE = "workers.pub"
PEPPER_FILE = "api-key-pepper"
DOOR_KEY_FILE = "door-admin-key"
"""Hex text: opens the fault injection of the paper exchange's front doors."""
_KEY_BYTES = 32
_NONCE = bytes(12)  # each message has its own key, so a fixed nonce is never used twice with one key
_PREFIX = "vys1."


class SealError(Exception):
    """The sealed value was altered, belongs elsewhere, or was made for another key."""


@dataclass(frozen=True, slots=True)
class SecretPlace:
    """Where a secret belongs; part of the seal."""

    user_id: str
    broker: str
    client_id: str
    field: str
    version: int = 1

    def associated_data(self) -> bytes:
        parts = (self.user_id, self.broker, self.client_id, self.field, str(self.version))
        return b"\x1f".join(part.encode() for part in parts)


class Sealer:
    def __init__(self, public_key: bytes) -> None:
        self._public_key = X25519PublicKey.from_public_bytes(public_key)

    def seal(self, secret: SecretStr, place: SecretPlace) -> str:
        SECRETS_IN_USE.add(secret)
        ephemeral = X25519PrivateKey.generate()
        ephemeral_public = ephemeral.public_key().public_bytes_raw()
        key = _derive(ephemeral.exchange(self._public_key), ephemeral_public)
        sealed = AESGCM(key).encrypt(_NONCE, secret.get_secret_value().encode(), place.associated_data())
        return _PREFIX + base64.urlsafe_b64encode(ephemeral_public + sealed).decode()


class Opener:
    def __init__(self, private_key: bytes) -> None:
        self._private_key = X25519PrivateKey.from_private_bytes(private_key)

    def sealer(self) -> Sealer:
        """Who can open can also seal: for what is learnt by the one who opens."""
        return Sealer(self._private_key.public_key().public_bytes_raw())

    def open(self, sealed: str, place: SecretPlace) -> SecretStr:
        """The clear text.

        Raises:
            SealError: not sealed for this key and place.
        """
        if not sealed.startswith(_PREFIX):
            raise SealError("not a sealed value")
        try:
            raw = base64.urlsafe_b64decode(sealed[len(_PREFIX) :])
            public, body = raw[:_KEY_BYTES], raw[_KEY_BYTES:]
            key = _derive(self._private_key.exchange(X25519PublicKey.from_public_bytes(public)), public)
            opened = SecretStr(AESGCM(key).decrypt(_NONCE, body, place.associated_data()).decode())
        except (InvalidTag, ValueError) as error:
            raise SealError("the sealed value does not belong here") from error
        SECRETS_IN_USE.add(opened)
        return opened


def _derive(shared: bytes, ephemeral_public: bytes) -> bytes:
    return HKDF(
        algorithm=SHA256(), length=_KEY_BYTES, salt=ephemeral_public, info=b"vyomo sealed secret 1"
    ).derive(shared)


def ensure_keys(folder: Path) -> None:
    """Make the workers' key pair, the API key pepper and the doors' key where they are missing; the folder is its owner's alone."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    private_file = folder / PRIVATE_KEY_FILE
    if not private_file.exists():
        _write_private(private_file, X25519PrivateKey.generate().private_bytes_raw())
    if not (folder / PUBLIC_KEY_FILE).exists():
        private_key = X25519PrivateKey.from_private_bytes(private_file.read_bytes())
        _write_private(folder / PUBLIC_KEY_FILE, private_key.public_key().public_bytes_raw())
    if not (folder / PEPPER_FILE).exists():
        _write_private(folder / PEPPER_FILE, os.urandom(_KEY_BYTES))
    if not (folder / DOOR_KEY_FILE).exists():
        _write_private(folder / DOOR_KEY_FILE, os.urandom(_KEY_BYTES).hex().encode())


def _write_private(path: Path, content: bytes) -> None:
    """Written beside and renamed, so that a crash leaves a whole file or none."""
    temporary = path.with_suffix(".new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Create the key files of an installation.")
    parser.add_argument("--keys-dir", type=Path, required=True)
    ensure_keys(parser.parse_args().keys_dir)
