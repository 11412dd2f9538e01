"""Browsers in which users are signed in to the pages, by their cookies' hashes."""

from typing import NamedTuple

from myelin.db.query import Store, query


class BrowserSession(NamedTuple):
    """A browser and its user."""

    browser_session: str
    user_id: str
    methods: str
    authenticated_ts: int
    created_ts: int
    last_seen_ts: int
    last_seen_ip: str | None
    last_seen_agent: str | None


_COLUMNS = (
    "b.browser_session, b.user_id, b.methods, b.authenticated_ts, b.created_ts, b.last_seen_ts, b.last_seen_ip,"
    " b.last_seen_agent"
)


class BrowserSessionStore(Store):
    """Browser sessions of users that are not deactivated."""

    @query(
        f"SELECT {_COLUMNS} FROM browser_sessions b JOIN users u ON u.user_id = b.user_id"
        " WHERE b.browser_session = :browser_session AND b.last_seen_ts > :seen_after"
        " AND u.is_deactivated = 0 AND u.is_locked = 0"
    )
    async def session(self, browser_session: str, seen_after: int) -> BrowserSession | None:
        """One that was used after that moment."""

    @query(f"SELECT {_COLUMNS} FROM browser_sessions b WHERE b.user_id = :user_id ORDER BY b.last_seen_ts DESC")
    async def sessions_of(self, user_id: str) -> list[BrowserSession]:
        """All of a user's, the last used first."""

    @query(
        "INSERT INTO browser_sessions (browser_session, user_id, methods, authenticated_ts, created_ts, last_seen_ts,"
        " last_seen_ip, last_seen_agent)"
        " VALUES (:browser_session, :user_id, :methods, :now, :now, :now, :address, :agent)"
    )
    async def add(
        self, browser_session: str, user_id: str, *, methods: str, now: int, address: str, agent: str
    ) -> None:
        """A user signs in."""

    @query(
        "UPDATE browser_sessions SET last_seen_ts = :now, last_seen_ip = :address, last_seen_agent = :agent"
        " WHERE browser_session = :browser_session"
    )
    async def note_seen(self, browser_session: str, now: int, address: str, agent: str) -> None:
        """It was used."""

    @query(
        "UPDATE browser_sessions SET methods = :methods, authenticated_ts = :now"
        " WHERE browser_session = :browser_session"
    )
    async def note_proof(self, browser_session: str, methods: str, now: int) -> None:
        """The user has proved once more to be there."""

    @query("DELETE FROM browser_sessions WHERE browser_session = :browser_session")
    async def end(self, browser_session: str) -> int:
        """Sign it out."""

    @query("DELETE FROM browser_sessions WHERE user_id = :user_id AND browser_session <> :kept")
    async def end_others(self, user_id: str, kept: str) -> int:
        """Sign out a user's browsers but for one; "" keeps none."""

    @query("DELETE FROM browser_sessions WHERE last_seen_ts <= :seen_before")
    async def forget_unused(self, seen_before: int) -> int:
        """Forget those that nobody has used since."""
