"""ID tokens: who signed in, when and how, signed (OpenID Connect Core, section 2)."""

from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Any

import msgspec

from myelin.auth.oauth2.token_keys import TokenKeys
from myelin.telemetry.ambient import Clock

LIFETIME_S = 300
ALGORITHM = "RS256"


class SignIn(msgspec.Struct, frozen=True):
    """What an ID token tells of a user."""

    user_id: str
    authenticated_ts: int
    methods: str
    nonce: str | None


class IdTokens:
    """Signs ID tokens."""

    def __init__(self, issuer: str, keys: TokenKeys, clock: Clock) -> None:
        self._issuer = issuer
        self._keys = keys
        self._clock = clock

    async def issue(self, client_id: str, sign_in: SignIn, access_token: str) -> str:
        """An ID token for a client, bound to the access token that goes with it."""
        from joserfc import jwt

        key = await self._keys.signing(ALGORITHM)
        header = {"alg": ALGORITHM, "kid": key.kid, "typ": "JWT"}
        return jwt.encode(header, self._claims(client_id, sign_in, access_token), key)

    def _claims(self, client_id: str, sign_in: SignIn, access_token: str) -> dict[str, Any]:
        now = self._clock.now_ms() // 1000
        claims: dict[str, Any] = {
            "iss": self._issuer,
            "sub": sign_in.user_id,
            "aud": client_id,
            "iat": now,
            "exp": now + LIFETIME_S,
            "auth_time": sign_in.authenticated_ts // 1000,
            "amr": sign_in.methods.split(),
            "at_hash": _half_hash(access_token),
        }
        return claims if sign_in.nonce is None else {**claims, "nonce": sign_in.nonce}


def _half_hash(text: str) -> str:
    return urlsafe_b64encode(sha256(text.encode()).digest()[:16]).rstrip(b"=").decode()
