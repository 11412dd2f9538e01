"""Places where two devices leave messages for each other."""

from typing import NamedTuple

from myelin.db.query import Store, query


class RendezvousSession(NamedTuple):
    """What lies in a place: the newest message, and how often one was left."""

    session_id: str
    data: bytes
    serial: int
    modified_ts: int
    expires_ts: int


class RendezvousStore(Store):
    """Sessions that have not expired."""

    @query(
        "INSERT INTO rendezvous (session_id, data, serial, modified_ts, expires_ts) "
        "SELECT CAST(:session_id AS TEXT), :data, 1, CAST(:now AS BIGINT), CAST(:expires_ts AS BIGINT) "
        "WHERE (SELECT COUNT(*) FROM rendezvous) < :most"
    )
    async def add(self, session_id: str, data: bytes, now: int, expires_ts: int, most: int) -> int:
        """Open a session, unless there are so many; how many were opened."""

    @query(
        "SELECT session_id, data, serial, modified_ts, expires_ts FROM rendezvous "
        "WHERE session_id = :session_id AND expires_ts > :now"
    )
    async def session(self, session_id: str, now: int) -> RendezvousSession | None:
        """One session."""

    @query(
        "UPDATE rendezvous SET data = :data, serial = serial + 1, modified_ts = :now "
        "WHERE session_id = :session_id AND serial = :serial AND expires_ts > :now"
    )
    async def replace(self, session_id: str, serial: int, data: bytes, now: int) -> int:
        """Leave another message where the one that was seen still lies; how many were left."""

    @query("DELETE FROM rendezvous WHERE session_id = :session_id AND expires_ts > :now")
    async def delete(self, session_id: str, now: int) -> int:
        """Close a session; how many there were."""

    @query("DELETE FROM rendezvous WHERE expires_ts <= :now")
    async def delete_expired(self, now: int) -> int:
        """Close those whose time is over."""
