"""Access tokens and refresh tokens, by their hashes."""

from typing import NamedTuple

from myelin.db.claims import ClaimSql
from myelin.db.query import Store, query, statement
from myelin.db.sql import Statement


class Session(NamedTuple):
    """A session as a request needs to know it, with its user's rights."""

    session: str
    user_id: str
    device_id: str
    expires_ts: int | None
    parent: str | None
    kind: str
    is_admin: bool
    is_locked: bool
    is_suspended: bool
    client_id: str | None
    """The OAuth 2.0 client that the session was given to."""


class Refreshable(NamedTuple):
    """A session that a refresh token belongs to."""

    session: str
    user_id: str
    device_id: str
    refresh_expires_ts: int | None
    parent: str | None
    is_locked: bool
    client_id: str | None
    """The OAuth 2.0 client that the session was given to."""


class SessionStore(Store):
    """Sessions of users that are not deactivated, on devices that still exist."""

    @query(
        "SELECT s.session, s.user_id, s.device_id, s.expires_ts, s.parent,"
        " u.kind, u.is_admin, u.is_locked, u.is_suspended, o.client_id"
        " FROM sessions s JOIN users u ON u.user_id = s.user_id"
        " JOIN devices d ON d.user_id = s.user_id AND d.device_id = s.device_id"
        " LEFT JOIN oauth_sessions o ON o.user_id = s.user_id AND o.device_id = s.device_id"
        " WHERE s.session = :session AND u.is_deactivated = 0"
    )
    async def session(self, session: str) -> Session | None:
        """The session of an access token."""

    @query(
        "SELECT s.session, s.user_id, s.device_id, s.refresh_expires_ts, s.parent, u.is_locked, o.client_id"
        " FROM sessions s JOIN users u ON u.user_id = s.user_id"
        " JOIN devices d ON d.user_id = s.user_id AND d.device_id = s.device_id"
        " LEFT JOIN oauth_sessions o ON o.user_id = s.user_id AND o.device_id = s.device_id"
        " WHERE s.refresh_hash = :refresh_hash AND u.is_deactivated = 0"
    )
    async def refreshable(self, refresh_hash: str) -> Refreshable | None:
        """The session of a refresh token."""

    @query("DELETE FROM sessions WHERE parent = :parent")
    async def delete_unused(self, parent: str) -> None:
        """Take back pairs that were made from a refresh token and never used."""

    @query(
        "INSERT INTO sessions (session, user_id, device_id, created_ts, expires_ts, refresh_hash, refresh_expires_ts,"
        " parent)"
        " SELECT :session, user_id, device_id, :created_ts, :expires_ts, :refresh_hash, :refresh_expires_ts, session"
        " FROM sessions WHERE session = :parent RETURNING session"
    )
    async def add_successor(
        self,
        session: str,
        *,
        parent: str,
        created_ts: int,
        expires_ts: int | None,
        refresh_hash: str | None,
        refresh_expires_ts: int | None,
    ) -> str | None:
        """Add the pair that follows another; None when that one is gone."""


@statement(
    "INSERT INTO sessions (session, user_id, device_id, created_ts, expires_ts, refresh_hash, refresh_expires_ts)"
    " VALUES (:session, :user_id, :device_id, :created_ts, :expires_ts, :refresh_hash, :refresh_expires_ts)"
)
def add_session(
    session: str,
    user_id: str,
    device_id: str,
    *,
    created_ts: int,
    expires_ts: int | None,
    refresh_hash: str | None,
    refresh_expires_ts: int | None,
) -> Statement:
    """Begin a session."""


@statement("DELETE FROM sessions WHERE user_id = :user_id AND device_id = :device_id")
def end_sessions_of_device(user_id: str, device_id: str) -> Statement:
    """End what runs on a device."""


@statement("DELETE FROM sessions WHERE user_id = :user_id")
def end_sessions_of_user(user_id: str) -> Statement:
    """End all that a user has."""


@statement("DELETE FROM sessions WHERE session = :parent OR (parent = :parent AND session <> :session)")
def end_replaced(session: str, parent: str) -> Statement:
    """End the pair that `session` replaces, and others that were made to replace it."""


CONFIRM_SESSION = ClaimSql(
    "confirm_session",
    single="UPDATE sessions SET parent = NULL WHERE session = :session AND parent IS NOT NULL RETURNING session",
    bulk="UPDATE sessions SET parent = NULL WHERE session IN :session AND parent IS NOT NULL RETURNING session",
    key=1,
)
"""A successor is used for the first time; it holds once."""
