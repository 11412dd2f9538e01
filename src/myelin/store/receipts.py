"""Read receipts: for each user, type and thread of a room the last one."""

from typing import NamedTuple

from myelin.db.query import Store, query, statement
from myelin.db.sql import Statement


class ReceiptRow(NamedTuple):
    """A receipt; `thread_id` is empty for an unthreaded one."""

    position: int
    room_id: str
    user_id: str
    receipt_type: str
    thread_id: str
    event_id: str
    event_position: int
    ts: int


_COLUMNS = "position, room_id, user_id, receipt_type, thread_id, event_id, event_position, ts"


class ReceiptStore(Store):
    """Reads receipts."""

    @query(f"SELECT {_COLUMNS} FROM receipts WHERE room_id IN :room_ids ORDER BY position")
    async def in_rooms(self, room_ids: list[str]) -> list[ReceiptRow]:
        """All receipts of some rooms, the oldest first."""

    @query(f"SELECT {_COLUMNS} FROM receipts WHERE position >= :first AND position <= :last ORDER BY position")
    async def between(self, first: int, last: int) -> list[ReceiptRow]:
        """Receipts that last moved in a range of positions, both ends included."""

    @query("SELECT DISTINCT room_id FROM receipts WHERE position > :since")
    async def rooms_since(self, since: int) -> list[str]:
        """Rooms with receipts that moved after a position."""


@statement(
    "INSERT INTO receipts (room_id, user_id, receipt_type, thread_id, event_id, event_position, ts, position)"
    " VALUES (:room_id, :user_id, :receipt_type, :thread_id, :event_id, :event_position, :ts, :position)"
    " ON CONFLICT (room_id, user_id, receipt_type, thread_id) DO UPDATE SET event_id = excluded.event_id,"
    " event_position = excluded.event_position, ts = excluded.ts, position = excluded.position"
    " WHERE receipts.event_position < excluded.event_position"
)
def put_receipt(
    room_id: str,
    user_id: str,
    receipt_type: str,
    thread_id: str,
    event_id: str,
    event_position: int,
    ts: int,
    position: int,
) -> Statement:
    """Move a receipt forward; one that is further on stays."""
