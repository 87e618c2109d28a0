"""API keys: `vy_live_<8 characters id>_<43 characters secret>`. The secret is 256 random bits, so a keyed hash is enough."""

import hashlib
import hmac
import re
import secrets
import string
from dataclasses import dataclass
from typing import Final

KEY_ID_LENGTH: Final = 8
_SECRET_BYTES: Final = 32  # 43 characters in URL-safe base 64
_ALPHABET: Final = string.ascii_letters + string.digits
_FORMAT: Final = re.compile(r"vy_live_([A-Za-z0-9]{8})_([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True)
class ApiKey:
    key_id: str
    secret: str

    @classmethod
    def generate(cls) -> "ApiKey":
        key_id = "".join(secrets.choice(_ALPHABET) for _ in range(KEY_ID_LENGTH))
        return cls(key_id, secrets.token_urlsafe(_SECRET_BYTES))

    @classmethod
    def parse(cls, text: str) -> "ApiKey | None":
        match = _FORMAT.fullmatch(text)
        return cls(match[1], match[2]) if match else None

    @property
    def text(self) -> str:
        return f"vy_live_{self.key_id}_{self.secret}"

    def digest(self, pepper: bytes) -> bytes:
        """What the database keeps: HMAC-SHA256 under the installation's pepper, which is not in the database."""
        return hmac.digest(pepper, self.secret.encode(), hashlib.sha256)

    def matches(self, digest: bytes, pepper: bytes) -> bool:
        return hmac.compare_digest(self.digest(pepper), digest)

    def __repr__(self) -> str:
        return f"ApiKey({self.key_id})"
