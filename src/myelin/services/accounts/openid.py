"""OpenID tokens: prove to a widget or service who a user is, without giving it access (spec: "OpenID")."""

from myelin.config.sections.accounts import Sessions
from myelin.db.connection import Database
from myelin.services.accounts.tokens import new_secret, token_hash
from myelin.store.login_tokens import OpenIdTokenStore
from myelin.telemetry.ambient import Clock, Randomness


class OpenIdService:
    """Makes and recognises OpenID tokens."""

    def __init__(self, database: Database, config: Sessions, clock: Clock, randomness: Randomness) -> None:
        self._store = OpenIdTokenStore(database)
        self._lifetime_ms = config.openid_token_lifetime_ms
        self._clock = clock
        self._randomness = randomness

    async def new_token(self, user_id: str) -> tuple[str, int]:
        """A token and its lifetime in seconds."""
        token = new_secret(self._randomness)
        await self._store.add_token(token_hash(token), user_id, self._clock.now_ms() + self._lifetime_ms)
        return token, self._lifetime_ms // 1000

    async def user_id(self, token: str) -> str | None:
        """Whose token it is; None when it is not valid."""
        return await self._store.user_id(token_hash(token), self._clock.now_ms())
