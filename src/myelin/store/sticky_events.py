"""Events that are sticky for a time."""

from typing import NamedTuple

from myelin.db.query import Store, query, statement
from myelin.db.sql import Statement


class StickyEvent(NamedTuple):
    """An event, its place in the log, and until when it is sticky, in milliseconds."""

    event_id: str
    room_id: str
    sender: str
    position: int
    expires_ts: int


class StickyEventStore(Store):
    """Reads sticky events."""

    @query(
        "SELECT event_id, room_id, sender, position, expires_ts FROM sticky_events"
        " WHERE expires_ts > :now ORDER BY position"
    )
    async def lasting(self, now: int) -> list[StickyEvent]:
        """All that are sticky, the oldest first."""

    @query("DELETE FROM sticky_events WHERE expires_ts <= :now")
    async def delete_expired(self, now: int) -> int:
        """Forget those whose time is over."""


@statement(
    "INSERT INTO sticky_events (event_id, room_id, sender, position, expires_ts)"
    " VALUES (:event_id, :room_id, :sender, :position, :expires_ts) ON CONFLICT (event_id) DO NOTHING"
)
def put_sticky_event(event_id: str, room_id: str, sender: str, position: int, expires_ts: int) -> Statement:
    """Note that an event is sticky."""


@statement("DELETE FROM sticky_events WHERE event_id = :event_id")
def delete_sticky_event(event_id: str) -> Statement:
    """A redacted event is sticky no more."""
