"""Forget what the sign-in service no longer needs."""

import asyncio

from myelin.auth.account.registering import Registering
from myelin.auth.browser.visitors import Visitors
from myelin.auth.oauth2.authorizations import Authorizations
from myelin.auth.oauth2.device_authorization import DeviceAuthorizations
from myelin.auth.store.oauth_clients import OAuthClientStore
from myelin.db.connection import Database
from myelin.services.accounts.cross_signing_resets import CrossSigningResets
from myelin.store.oauth_sessions import OAuthSessionStore
from myelin.telemetry.ambient import Clock

INTERVAL_S = 600
UNUSED_CLIENTS_KEPT_MS = 30 * 86_400_000
"""Clients register again with each sign-in: what nobody is signed in by is rubbish after a while."""
SPENT_TOKENS_KEPT_MS = 90 * 86_400_000


class SignInExpiry:
    """Deletes what is over. Several processes may do it at once."""

    def __init__(
        self,
        database: Database,
        visitors: Visitors,
        grants: Authorizations,
        devices: DeviceAuthorizations,
        registering: Registering,
        resets: CrossSigningResets,
        clock: Clock,
    ) -> None:
        self._clients = OAuthClientStore(database)
        self._sessions = OAuthSessionStore(database)
        self._visitors = visitors
        self._grants = grants
        self._devices = devices
        self._registering = registering
        self._resets = resets
        self._clock = clock

    async def clean(self) -> None:
        """Delete what has expired by now."""
        now = self._clock.now_ms()
        await self._visitors.forget_unused()
        await self._grants.forget_expired()
        await self._devices.forget_expired()
        await self._registering.forget_expired()
        await self._resets.forget_expired()
        await self._clients.forget_unused(now - UNUSED_CLIENTS_KEPT_MS)
        await self._sessions.forget_spent(now - SPENT_TOKENS_KEPT_MS)

    async def run(self) -> None:
        """Clean once an interval, for ever."""
        while True:
            await self.clean()
            await asyncio.sleep(INTERVAL_S)
