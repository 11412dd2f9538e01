"""All that is stored of one room, for who checks whether it agrees with itself."""

from typing import NamedTuple

from myelin.db.query import Store, query


class EventRow(NamedTuple):
    """An event's row, whole."""

    position: int
    event_id: str
    type: str
    sender: str
    state_key: str | None
    origin_server_ts: int
    flags: int
    state_base: int | None
    state_delta: str | None
    redacted_by: str | None
    json: bytes


class StateInterval(NamedTuple):
    """A row of the state table."""

    type: str
    state_key: str
    from_pos: int
    to_pos: int
    event_id: str
    membership: str | None


class RelationRow(NamedTuple):
    """A row of the relations table."""

    relates_to: str
    position: int
    event_id: str
    rel_type: str
    type: str
    sender: str
    aggregation_key: str | None


class StrayReceipt(NamedTuple):
    """A receipt for an event that is not where the receipt says."""

    user_id: str
    receipt_type: str
    thread_id: str
    event_id: str
    event_position: int


class StrayTransaction(NamedTuple):
    """A transaction whose event is not there."""

    user_id: str
    result: str


class RoomCheckStore(Store):
    """Reads a room's rows."""

    @query(
        "SELECT position, event_id, type, sender, state_key, origin_server_ts, flags, state_base, state_delta, "
        "redacted_by, json FROM events WHERE room_id = :room_id AND position > :after ORDER BY position LIMIT :limit",
        slow=True,
    )
    async def events(self, room_id: str, after: int, limit: int) -> list[EventRow]:
        """The room's events after a position, in the order of the log."""

    @query(
        "SELECT type, state_key, from_pos, to_pos, event_id, membership FROM state WHERE room_id = :room_id "
        "ORDER BY type, state_key, from_pos",
        slow=True,
    )
    async def state(self, room_id: str) -> list[StateInterval]:
        """All that the room's state ever was."""

    @query(
        "SELECT relates_to, position, event_id, rel_type, type, sender, aggregation_key FROM relations "
        "WHERE room_id = :room_id",
        slow=True,
    )
    async def relations(self, room_id: str) -> list[RelationRow]:
        """What relates to what in the room."""

    @query(
        "SELECT r.user_id, r.receipt_type, r.thread_id, r.event_id, r.event_position FROM receipts AS r "
        "LEFT JOIN events AS e ON e.event_id = r.event_id AND e.room_id = r.room_id AND e.position = r.event_position "
        "WHERE r.room_id = :room_id AND e.event_id IS NULL",
        slow=True,
    )
    async def stray_receipts(self, room_id: str) -> list[StrayReceipt]:
        """Receipts that refer to no event of the room."""

    @query(
        "SELECT t.user_id, t.result FROM transactions AS t LEFT JOIN events AS e ON e.event_id = t.result "
        "WHERE t.result LIKE '$%' AND e.event_id IS NULL",
        slow=True,
    )
    async def stray_transactions(self) -> list[StrayTransaction]:
        """Transactions, in whatever room, that were answered with an event that is not there."""
