"""New tokens for a refresh token (RFC 6749, section 6; RFC 9700, section 4.14; spec: "Refresh token grant")."""

from collections.abc import Mapping

from myelin.auth.oauth2.client_metadata import REFRESH_TOKEN
from myelin.auth.oauth2.clients import Client
from myelin.auth.oauth2.errors import OAuthError, invalid_grant, invalid_request
from myelin.auth.oauth2.token_answer import TokenAnswer, token_answer
from myelin.db.connection import Database
from myelin.matrix.errors import MatrixError
from myelin.services.accounts.sessions import SessionService
from myelin.services.accounts.tokens import token_hash
from myelin.services.devices.devices import DeviceService
from myelin.store.oauth_sessions import OAuthSessionStore
from myelin.telemetry.ambient import Clock

LATE_MS = 60_000
"""A repeated request may arrive this long after its answer was used, and means nothing bad."""


class Refreshing:
    """Renews sessions, and ends those whose refresh token was stolen."""

    def __init__(self, database: Database, sessions: SessionService, devices: DeviceService, clock: Clock) -> None:
        self._store = OAuthSessionStore(database)
        self._sessions = sessions
        self._devices = devices
        self._clock = clock

    async def refresh(self, client: Client, form: Mapping[str, str]) -> TokenAnswer:
        """A new pair; the old one works until the new one is first used, so a lost answer loses nothing.

        Raises OAuthError.
        """
        client.check_grant(REFRESH_TOKEN)
        token = form.get("refresh_token")
        if not token:
            raise invalid_request("refresh_token is missing")
        try:
            refreshed = await self._sessions.refresh(token, client.client_id)
        except MatrixError as error:
            raise await self._refused(token, error) from error
        session = await self._store.session(refreshed.user_id, refreshed.device_id)
        if session is None:
            raise invalid_grant("The session has ended")
        return token_answer(refreshed.tokens, session.scope)

    async def _refused(self, token: str, error: MatrixError) -> OAuthError:
        """A token that was replaced long ago is shown again: one of two that have it is not who it should be."""
        spent = await self._store.spent(token_hash(token))
        if spent is not None and spent.spent_ts < self._clock.now_ms() - LATE_MS:
            await self._devices.delete(spent.user_id, [spent.device_id])
        return invalid_grant(error.message)
