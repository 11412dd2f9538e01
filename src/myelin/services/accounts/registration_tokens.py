"""Registration tokens: made by the administrator, checked while somebody registers."""

from collections.abc import Sequence

from myelin.db.connection import Database
from myelin.matrix.errors import InvalidParam, NotFound
from myelin.matrix.identifiers import is_opaque_id
from myelin.services.accounts.tokens import new_secret
from myelin.store.registration_tokens import RegistrationToken, RegistrationTokenStore
from myelin.store.uia_sessions import UiaSessionStore
from myelin.telemetry.ambient import Clock, Randomness

STAGE = "m.login.registration_token"
MAX_TOKEN_CHARACTERS = 64
NEW_TOKEN_CHARACTERS = 24


class RegistrationTokens:
    """Who holds a token may register."""

    def __init__(self, database: Database, clock: Clock, randomness: Randomness) -> None:
        self._store = RegistrationTokenStore(database)
        self._uia = UiaSessionStore(database)
        self._clock = clock
        self._randomness = randomness

    async def is_valid(self, token: str) -> bool:
        """Whether one more account may be begun with it; those that are being made count as made."""
        found = await self._store.token(token) if _is_token(token) else None
        now = self._clock.now_ms()
        if found is None or (found.expires_ts is not None and found.expires_ts <= now):
            return False
        if found.uses_allowed is None:
            return True
        pending = await self._uia.passed_with(STAGE, token, now)
        return found.completed + pending < found.uses_allowed

    async def create(
        self, token: str | None = None, *, uses_allowed: int | None = None, expires_ts: int | None = None
    ) -> RegistrationToken:
        """Make a token; `expires_ts` in milliseconds. Raises InvalidParam for a name that is taken or impossible."""
        name = token if token is not None else new_secret(self._randomness)[:NEW_TOKEN_CHARACTERS]
        if not _is_token(name):
            raise InvalidParam(
                f"A registration token has 1 to {MAX_TOKEN_CHARACTERS} of the characters A-Z a-z 0-9 . _ ~ -"
            )
        _check_uses(uses_allowed)
        now = self._clock.now_ms()
        if await self._store.add_token(name, uses_allowed, expires_ts, now) is None:
            raise InvalidParam("There is a registration token of that name")
        return RegistrationToken(name, uses_allowed, 0, expires_ts, now)

    async def change(self, token: str, *, uses_allowed: int | None, expires_ts: int | None) -> None:
        """Change its limits. Raises NotFound."""
        _check_uses(uses_allowed)
        if not _is_token(token) or not await self._store.put_token(token, uses_allowed, expires_ts):
            raise NotFound("There is no such registration token")

    async def delete(self, token: str) -> None:
        """Withdraw it. Raises NotFound."""
        if not _is_token(token) or not await self._store.delete_token(token):
            raise NotFound("There is no such registration token")

    async def tokens(self) -> Sequence[RegistrationToken]:
        """All of them, the oldest first."""
        return await self._store.tokens()


def _is_token(token: str) -> bool:
    return is_opaque_id(token) and len(token) <= MAX_TOKEN_CHARACTERS


def _check_uses(uses_allowed: int | None) -> None:
    if uses_allowed is not None and uses_allowed < 0:
        raise InvalidParam("The number of uses cannot be negative")
