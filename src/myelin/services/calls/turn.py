"""Credentials for the TURN server that relays calls (spec: voip.yaml; coturn's "TURN REST API")."""

import hmac
from base64 import b64encode
from hashlib import sha1

import msgspec

from myelin.config.sections.calls import Voip
from myelin.matrix.errors import MatrixError, NotFound
from myelin.telemetry.ambient import Clock


class TurnServer(msgspec.Struct, frozen=True):
    """Where the TURN server is, and how to sign in there for the next `ttl` seconds."""

    username: str
    password: str
    uris: tuple[str, ...]
    ttl: int


class TurnCredentials:
    """Makes credentials that the TURN server can check by itself: it shares a secret with this server."""

    def __init__(self, config: Voip, clock: Clock) -> None:
        self._config = config
        self._clock = clock

    def for_user(self, user_id: str, *, is_guest: bool) -> TurnServer:
        """Credentials for a user. Raises NotFound where there is no TURN server, or M_GUEST_ACCESS_FORBIDDEN."""
        config = self._config
        if not config.turn_uris:
            raise NotFound("No TURN server is configured")
        if is_guest and not config.turn_allow_guests:
            raise MatrixError("Guests may not use the TURN server", errcode="M_GUEST_ACCESS_FORBIDDEN")
        lifetime_s = config.turn_user_lifetime_ms // 1000
        if not config.turn_shared_secret:
            return TurnServer(config.turn_username, config.turn_password, config.turn_uris, lifetime_s)
        username = f"{self._clock.now_ms() // 1000 + lifetime_s}:{user_id}"
        # HMAC-SHA-1 is what TURN servers check; as a MAC it is sound.
        digest = hmac.new(config.turn_shared_secret.encode(), username.encode(), sha1).digest()
        return TurnServer(username, b64encode(digest).decode(), config.turn_uris, lifetime_s)
