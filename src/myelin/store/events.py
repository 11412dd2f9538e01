"""Events, and how they hang together."""

from typing import NamedTuple

from myelin.db.query import Store, query, statement
from myelin.db.sql import Statement

IN_TIMELINE = 0
OUTLIER = 1
REJECTED = 2
SOFT_FAILED = 4
HIDDEN = 8
"""Part of the room's graph like any other event, and shown to no client."""


class StoredEvent(NamedTuple):
    """An event's row."""

    position: int
    event_id: str
    room_id: str
    flags: int
    redacted_by: str | None
    txn: str | None
    json: bytes


class ReplacedEvent(NamedTuple):
    """A state event's row, with the ID of the event that it was replaced by."""

    replaced_by: str
    event_id: str
    room_id: str
    json: bytes


class EventPlace(NamedTuple):
    """Where an event stands in the log and what the state before it was."""

    event_id: str
    room_id: str
    position: int
    flags: int
    state_base: int | None
    state_delta: str | None
    type: str
    state_key: str | None


_COLUMNS = "position, event_id, room_id, flags, redacted_by, txn, json"
_OF_EVENT = ", ".join(f"e.{column}" for column in _COLUMNS.split(", "))


class EventStore(Store):
    """Reads events; they are written by the statements below."""

    @query(f"SELECT {_COLUMNS} FROM events WHERE event_id IN :event_ids")
    async def events(self, event_ids: list[str]) -> list[StoredEvent]:
        """Those of the events that are here, in any order."""

    @query(
        "SELECT e.event_id, replaced.event_id, replaced.room_id, replaced.json FROM events AS e "
        "JOIN state AS earlier ON earlier.room_id = e.room_id AND earlier.type = e.type "
        "AND earlier.state_key = e.state_key AND earlier.to_pos >= e.position "
        "AND earlier.from_pos = (SELECT MAX(s.from_pos) FROM state AS s WHERE s.room_id = e.room_id "
        "AND s.type = e.type AND s.state_key = e.state_key AND s.from_pos < e.position) "
        "JOIN events AS replaced ON replaced.event_id = earlier.event_id "
        "WHERE e.event_id IN :event_ids AND e.flags = 0 AND replaced.event_id <> e.event_id"
    )
    async def replaced(self, event_ids: list[str]) -> list[ReplacedEvent]:
        """The events that were current right before state events of the timeline."""

    @query(
        f"SELECT {_COLUMNS} FROM events WHERE room_id = :room_id AND flags = 0 AND position < :before "
        "AND position > :after ORDER BY position DESC LIMIT :limit"
    )
    async def newest(self, room_id: str, after: int, before: int, limit: int) -> list[StoredEvent]:
        """The last events of a room's timeline between two positions (neither included), newest first."""

    @query(
        # The rooms first, whatever the planner thinks: else the inner query would run for each of their events.
        sqlite=f"SELECT {_OF_EVENT} FROM rooms AS r CROSS JOIN events AS e ON e.position IN (SELECT n.position "
        "FROM events AS n WHERE n.room_id = r.room_id AND n.flags = 0 AND n.position < :before "
        "ORDER BY n.position DESC LIMIT :limit) WHERE r.room_id IN :room_ids ORDER BY e.position DESC",
        postgres=f"SELECT newest.* FROM unnest(:room_ids::text[]) AS r (room_id) CROSS JOIN LATERAL "
        f"(SELECT {_COLUMNS} FROM events AS e WHERE e.room_id = r.room_id AND e.flags = 0 AND e.position < :before "
        "ORDER BY e.position DESC LIMIT :limit) AS newest ORDER BY newest.position DESC",
    )
    async def newest_of_rooms(self, room_ids: list[str], before: int, limit: int) -> list[StoredEvent]:
        """The last events of each room's timeline before a position, newest first."""

    @query(
        f"SELECT {_COLUMNS} FROM events WHERE room_id = :room_id AND flags = 0 AND position > :after "
        "AND position < :before ORDER BY position LIMIT :limit"
    )
    async def oldest(self, room_id: str, after: int, before: int, limit: int) -> list[StoredEvent]:
        """The first events of a room's timeline between two positions (neither included), oldest first."""

    @query(
        "SELECT event_id FROM events WHERE room_id = :room_id AND flags = 0 AND position < :before "
        "AND position > :after ORDER BY position DESC LIMIT :limit"
    )
    async def newest_ids(self, room_id: str, after: int, before: int, limit: int) -> list[str]:
        """The IDs of what `newest` gives, for who may hold the events."""

    @query(
        "SELECT event_id FROM events WHERE room_id = :room_id AND flags = 0 AND position > :after "
        "AND position < :before ORDER BY position LIMIT :limit"
    )
    async def oldest_ids(self, room_id: str, after: int, before: int, limit: int) -> list[str]:
        """The IDs of what `oldest` gives."""

    @query(
        f"SELECT {_COLUMNS} FROM events WHERE position >= :first AND position <= :last AND flags = 0 ORDER BY position"
    )
    async def between(self, first: int, last: int) -> list[StoredEvent]:
        """All timeline events of a range of the log, both ends included."""

    @query(
        "SELECT event_id, room_id, position, flags, state_base, state_delta, type, state_key FROM events "
        "WHERE event_id IN :event_ids"
    )
    async def places(self, event_ids: list[str]) -> list[EventPlace]:
        """Where events stand."""

    @query(
        f"SELECT {_COLUMNS} FROM events WHERE room_id = :room_id AND flags = 0 AND origin_server_ts >= :ts "
        "AND position > :after AND position < :before ORDER BY origin_server_ts, position LIMIT :limit",
        slow=True,
    )
    async def first_after_ts(self, room_id: str, ts: int, after: int, before: int, limit: int) -> list[StoredEvent]:
        """The events between two positions closest to a time, at it or after it, the closest first."""

    @query(
        f"SELECT {_COLUMNS} FROM events WHERE room_id = :room_id AND flags = 0 AND origin_server_ts <= :ts "
        "AND position > :after AND position < :before ORDER BY origin_server_ts DESC, position DESC LIMIT :limit",
        slow=True,
    )
    async def last_before_ts(self, room_id: str, ts: int, after: int, before: int, limit: int) -> list[StoredEvent]:
        """The events between two positions closest to a time, at it or before it, the closest first."""


def _row(
    position: int,
    event_id: str,
    room_id: str,
    type: str,  # noqa: A002  (the spec's word)
    sender: str,
    state_key: str | None,
    origin_server_ts: int,
    flags: int,
    state_base: int | None,
    state_delta: str | None,
    txn: str | None,
    json: bytes,
) -> Statement:
    """An event with all that is kept of it."""


_INSERT = (
    "INSERT INTO events (position, event_id, room_id, type, sender, state_key, origin_server_ts, flags, state_base, "
    "state_delta, txn, json) VALUES (:position, :event_id, :room_id, :type, :sender, :state_key, :origin_server_ts, "
    ":flags, :state_base, :state_delta, :txn, :json)"
)
put_event = statement(_INSERT)(_row)
"""Insert an event."""
place_event = statement(
    f"{_INSERT} ON CONFLICT (event_id) DO UPDATE SET position = excluded.position, flags = excluded.flags, "
    "state_base = excluded.state_base, state_delta = excluded.state_delta "
    "WHERE events.flags IN (1, 3) AND events.room_id = excluded.room_id"
)(_row)
"""Insert an event, or give an outlier its place; what has its place already stays."""
put_outlier = statement(f"{_INSERT} ON CONFLICT (event_id) DO NOTHING")(_row)
"""Keep an event without a place in the timeline, unless it is here."""


@statement(
    "UPDATE events SET json = :json, redacted_by = :redacted_by WHERE event_id = :event_id AND redacted_by IS NULL"
)
def redact_event(event_id: str, redacted_by: str, json: bytes) -> Statement:
    """Replace an event's JSON by its redacted form, for good."""
