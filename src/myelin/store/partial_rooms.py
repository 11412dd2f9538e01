"""Rooms whose members are still to be fetched."""

from typing import NamedTuple

from myelin.db.query import Store, query, statement
from myelin.db.sql import Statement
from myelin.store.graph import FROM_THE_START


class PartialRoom(NamedTuple):
    """A room that was joined without its members; `servers` is a JSON list."""

    room_id: str
    join_event_id: str
    servers: str
    created_ts: int
    failures: int


_COLUMNS = "room_id, join_event_id, servers, created_ts, failures"


class PartialRoomStore(Store):
    """What is to be done for rooms, also after a restart."""

    @query(
        "UPDATE partial_rooms SET taken_ts = :now WHERE room_id IN (SELECT room_id FROM partial_rooms "
        "WHERE taken_ts < :taken_before ORDER BY taken_ts, created_ts LIMIT :limit) AND taken_ts < :taken_before "
        f"RETURNING {_COLUMNS}"
    )
    async def take(self, now: int, taken_before: int, limit: int) -> list[PartialRoom]:
        """Begin with rooms that no process has begun with lately."""

    @query("UPDATE partial_rooms SET taken_ts = :now WHERE room_id = :room_id AND join_event_id = :join_event_id")
    async def renew(self, room_id: str, join_event_id: str, now: int) -> int:
        """A process is still at it."""

    @query("UPDATE partial_rooms SET taken_ts = :taken_ts, failures = failures + 1 WHERE room_id = :room_id")
    async def fail(self, room_id: str, taken_ts: int) -> None:
        """It did not work now; `taken_ts` is as if it had been begun with then."""

    @query("DELETE FROM partial_rooms WHERE room_id = :room_id AND join_event_id = :join_event_id")
    async def drop(self, room_id: str, join_event_id: str) -> int:
        """There is nothing to be fetched."""

    @query(f"SELECT {_COLUMNS} FROM partial_rooms WHERE room_id IN :room_ids")
    async def among(self, room_ids: list[str]) -> list[PartialRoom]:
        """Those of the rooms whose members are still to be fetched."""


@statement(
    "INSERT INTO partial_rooms (room_id, join_event_id, servers, created_ts) "
    "VALUES (:room_id, :join_event_id, :servers, :created_ts) ON CONFLICT (room_id) DO UPDATE SET "
    "join_event_id = excluded.join_event_id, servers = excluded.servers, created_ts = excluded.created_ts, "
    "taken_ts = 0, failures = 0"
)
def put_partial_room(room_id: str, join_event_id: str, servers: str, created_ts: int) -> Statement:
    """A room was joined without its members."""


@statement("DELETE FROM partial_rooms WHERE room_id = :room_id AND join_event_id = :join_event_id")
def end_partial_room(room_id: str, join_event_id: str) -> Statement:
    """The room is whole."""


@statement(
    "INSERT INTO state (room_id, type, state_key, from_pos, to_pos, event_id, membership) "
    "SELECT late.room_id, late.type, late.state_key, COALESCE((SELECT MAX(earlier.to_pos) FROM state AS earlier "
    "WHERE earlier.room_id = late.room_id AND earlier.type = late.type AND earlier.state_key = late.state_key "
    f"AND earlier.from_pos < late.from_pos), {FROM_THE_START}), late.from_pos, late.event_id, late.membership "
    "FROM state AS late WHERE late.room_id = :room_id AND late.from_pos = :position ON CONFLICT DO NOTHING"
)
def date_back(room_id: str, position: int) -> Statement:
    """State that was only fetched at a position held before: what hangs on events since the join is judged by it.

    It held from the start, or from where an older batch of events ends that was fetched meanwhile.
    """


@statement("DELETE FROM partial_rooms WHERE room_id = :room_id")
def forget_partial_room(room_id: str) -> Statement:
    """The room is taken over with all its members; whatever was to be fetched before is not any more."""
