"""Which client a device's session was given to by OAuth 2.0."""

from typing import NamedTuple

from myelin.db.query import Store, query, statement
from myelin.db.sql import Statement


class OAuthSession(NamedTuple):
    """A device that a client signed in by OAuth 2.0."""

    user_id: str
    device_id: str
    client_id: str
    scope: str
    created_ts: int


class SpentRefreshToken(NamedTuple):
    """A refresh token whose successor is in use."""

    user_id: str
    device_id: str
    spent_ts: int


class OAuthSessionStore(Store):
    """Sessions that began with an authorization."""

    @query(
        "SELECT user_id, device_id, client_id, scope, created_ts FROM oauth_sessions"
        " WHERE user_id = :user_id AND device_id = :device_id"
    )
    async def session(self, user_id: str, device_id: str) -> OAuthSession | None:
        """The one of a device."""

    @query("SELECT user_id, device_id, client_id, scope, created_ts FROM oauth_sessions WHERE grant_key = :grant_key")
    async def session_of_grant(self, grant_key: str) -> OAuthSession | None:
        """The one that an authorization began, if it still runs."""

    @query(
        "SELECT user_id, device_id, client_id, scope, created_ts FROM oauth_sessions WHERE user_id = :user_id"
        " ORDER BY created_ts DESC, device_id"
    )
    async def sessions_of(self, user_id: str) -> list[OAuthSession]:
        """All of a user's, the newest first."""

    @query("SELECT user_id, device_id, spent_ts FROM spent_refresh_tokens WHERE refresh_hash = :refresh_hash")
    async def spent(self, refresh_hash: str) -> SpentRefreshToken | None:
        """A token that was replaced."""

    @query("DELETE FROM spent_refresh_tokens WHERE spent_ts < :before")
    async def forget_spent(self, before: int) -> int:
        """Forget what was spent long ago."""


@statement(
    "INSERT INTO oauth_sessions (user_id, device_id, client_id, scope, grant_key, created_ts)"
    " VALUES (:user_id, :device_id, :client_id, :scope, :grant_key, :created_ts)"
    " ON CONFLICT (user_id, device_id) DO UPDATE SET client_id = excluded.client_id, scope = excluded.scope,"
    " grant_key = excluded.grant_key, created_ts = excluded.created_ts"
)
def put_oauth_session(
    user_id: str, device_id: str, *, client_id: str, scope: str, grant_key: str, created_ts: int
) -> Statement:
    """The device's session belongs to a client."""


@statement("DELETE FROM oauth_sessions WHERE user_id = :user_id AND device_id = :device_id")
def end_oauth_session(user_id: str, device_id: str) -> Statement:
    """The device's session belongs to no client any more."""


@statement(
    "INSERT INTO spent_refresh_tokens (refresh_hash, user_id, device_id, spent_ts)"
    " SELECT refresh_hash, user_id, device_id, :spent_ts FROM sessions"
    " WHERE session = :session AND refresh_hash IS NOT NULL ON CONFLICT (refresh_hash) DO NOTHING"
)
def remember_spent(session: str, spent_ts: int) -> Statement:
    """Remember the refresh token of a pair that is about to be replaced."""


@statement("DELETE FROM spent_refresh_tokens WHERE user_id = :user_id AND device_id = :device_id")
def forget_spent_of_device(user_id: str, device_id: str) -> Statement:
    """A new session begins on the device, or its last has ended."""
