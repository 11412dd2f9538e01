"""Replacing cross-signing keys in an app that never learns the password (spec: "OAuth authentication")."""

from collections.abc import Mapping
from typing import Any

from myelin.db.connection import Database
from myelin.services.accounts.uia_stages import StageFailed
from myelin.store.cross_signing_resets import CrossSigningResetStore
from myelin.telemetry.ambient import Clock

STAGE = "m.oauth"
OLDER_STAGE = "org.matrix.cross_signing_reset"
FLOWS = ((STAGE,), (OLDER_STAGE,))
LIFETIME_MS = 600_000
"""How long the app has after its user agreed."""


class CrossSigningResets:
    """Remembers who has agreed."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._store = CrossSigningResetStore(database)
        self._clock = clock

    async def allow(self, user_id: str) -> None:
        """The user agrees, on the pages of the sign-in service."""
        await self._store.allow(user_id, self._clock.now_ms() + LIFETIME_MS)

    async def take(self, user_id: str) -> bool:
        """Whether the user has agreed a short while ago, and it was not used yet."""
        return bool(await self._store.take(user_id, self._clock.now_ms()))

    async def forget_expired(self) -> None:
        """Forget what nobody used."""
        await self._store.forget_expired(self._clock.now_ms())


class ResetStage:
    """Sends the user to the page where to agree; it is passed there, not here."""

    def __init__(self, url: str) -> None:
        self.params: Mapping[str, Any] = {"url": url}

    async def check(self, auth: Mapping[str, Any], user_id: str, address: str) -> str:  # noqa: ARG002  (a Stage)
        """Raises StageFailed: whoever asks has not agreed yet."""
        raise StageFailed("Agree on the account page first")
