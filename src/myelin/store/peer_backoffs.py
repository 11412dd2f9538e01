"""Servers that failed, and when they are asked again."""

from typing import NamedTuple

from myelin.db.query import Store, query


class StoredBackoff(NamedTuple):
    """How often in a row a server failed, and when it is asked again, in milliseconds."""

    server_name: str
    failures: int
    retry_at_ts: int
    changed_ts: int


class PeerBackoffStore(Store):
    """Back-offs by server."""

    @query(
        "SELECT server_name, failures, retry_at_ts, changed_ts FROM peer_backoffs WHERE changed_ts >= :since "
        "ORDER BY changed_ts"
    )
    async def changed(self, since: int) -> list[StoredBackoff]:
        """What changed from some moment on, the oldest first."""

    @query(
        "INSERT INTO peer_backoffs (server_name, failures, retry_at_ts, changed_ts) "
        "VALUES (:server_name, :failures, :retry_at_ts, :changed_ts) ON CONFLICT (server_name) DO UPDATE SET "
        "failures = excluded.failures, retry_at_ts = excluded.retry_at_ts, changed_ts = excluded.changed_ts"
    )
    async def put(self, server_name: str, failures: int, retry_at_ts: int, changed_ts: int) -> None:
        """Note how a server stands."""

    @query("DELETE FROM peer_backoffs WHERE retry_at_ts < :before AND changed_ts < :before")
    async def delete_settled(self, before: int) -> int:
        """Forget servers that came back long ago, or that nobody has asked for long."""
