"""Secrets in links: what the database keeps of them, and links that need no row at all."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import blake2b
from hmac import compare_digest

import orjson

from myelin.matrix.signing import SigningKey

HASH_BYTES = 24
_UNSUBSCRIBE = b"myelin unsubscribe\n"
"""What is signed begins like nothing else that the key signs: that is all JSON."""


def secret_hash(token: str) -> str:
    """What the database keeps of a token, which is too long to be guessed."""
    return blake2b(token.encode("utf-8", "surrogatepass"), digest_size=HASH_BYTES).hexdigest()


class UnsubscribeTokens:
    """Tokens that end one pusher, good for as long as the server has its key."""

    def __init__(self, key: SigningKey) -> None:
        self._key = key

    def make(self, user_id: str, app_id: str, pushkey: str) -> str:
        """A token for a link."""
        payload = orjson.dumps([user_id, app_id, pushkey])
        return f"{urlsafe_b64encode(payload).decode()}.{self._signature(payload)}"

    def read(self, token: str) -> tuple[str, str, str] | None:
        """User, app ID and push key; None where the token is not of this server."""
        encoded, _, signature = token.partition(".")
        try:
            payload = urlsafe_b64decode(encoded.encode())
            if not compare_digest(self._signature(payload).encode(), signature.encode()):
                return None
            user_id, app_id, pushkey = orjson.loads(payload)
        except ValueError:
            return None
        return user_id, app_id, pushkey

    def _signature(self, payload: bytes) -> str:
        return self._key.sign(_UNSUBSCRIBE + payload).replace("+", "-").replace("/", "_")
