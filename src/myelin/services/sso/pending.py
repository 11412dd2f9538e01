"""Which browser began an attempt: a secret in its cookie, so that nobody can be sent into the middle of another's.

Nothing is stored: the cookie is a signature of what the attempt is for and until when it may end.
"""

from hmac import compare_digest

import orjson

from myelin.matrix.signing import SigningKey
from myelin.services.sso.ports import Attempt
from myelin.telemetry.ambient import Clock

COOKIE = "myelin_sso"
LIFETIME_MS = 900_000
_SIGNED = b"myelin sso attempt\n"
"""What is signed begins like nothing else that the key signs: that is all JSON."""


class PendingAttempts:
    """Makes cookies, and knows them again."""

    def __init__(self, key: SigningKey, clock: Clock) -> None:
        self._key = key
        self._clock = clock

    def cookie(self, attempt: Attempt) -> str:
        """The cookie for the browser that begins the attempt."""
        expires_ts = self._clock.now_ms() + LIFETIME_MS
        return f"{expires_ts}.{self._signature(attempt, expires_ts)}"

    def began_here(self, attempt: Attempt, cookie: str) -> bool:
        """Whether the cookie is of a browser that began this very attempt not long ago."""
        expires, _, signature = cookie.partition(".")
        if not expires.isascii() or not expires.isdigit() or len(expires) > 16 or int(expires) < self._clock.now_ms():
            return False
        return compare_digest(self._signature(attempt, int(expires)).encode(), signature.encode("utf-8", "replace"))

    def _signature(self, attempt: Attempt, expires_ts: int) -> str:
        payload = orjson.dumps([attempt.redirect_url, attempt.uia_session, expires_ts])
        return self._key.sign(_SIGNED + payload).replace("+", "-").replace("/", "_")
