"""Forget what has expired: authentications, tokens, and signals that everybody has heard."""

import asyncio

from myelin.bus.feed import Feed
from myelin.db.connection import Database
from myelin.store.identity import PhoneValidationStore
from myelin.store.login_tokens import LoginTokenStore, OpenIdTokenStore
from myelin.store.signals import SignalStore
from myelin.store.uia_sessions import UiaSessionStore
from myelin.telemetry.ambient import Clock

CLEANUP_INTERVAL_S = 600
SIGNALS_KEPT = 1_000_000
"""Positions. A process further behind than this has been stopped, and begins with nothing remembered."""


class ExpiryCleanup:
    """Deletes what nobody can use any more. Several processes may do it at once."""

    def __init__(self, database: Database, feed: Feed, clock: Clock) -> None:
        self._database = database
        self._feed = feed
        self._clock = clock

    async def clean(self) -> None:
        """Delete what has expired by now."""
        now = self._clock.now_ms()
        uia = UiaSessionStore(self._database)
        await uia.delete_expired(now)
        await uia.delete_stages_left()
        await PhoneValidationStore(self._database).delete_expired(now)
        await LoginTokenStore(self._database).delete_expired(now)
        await OpenIdTokenStore(self._database).delete_expired(now)
        await SignalStore(self._database).forget_before(self._feed.position - SIGNALS_KEPT)

    async def run(self) -> None:
        """Clean once an interval, for ever."""
        while True:
            await self.clean()
            await asyncio.sleep(CLEANUP_INTERVAL_S)
