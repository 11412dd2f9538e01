"""Rooms: their version, and the guard under which they are written to."""

from typing import NamedTuple

from myelin.db.claims import ClaimSql
from myelin.db.query import Store, query, statement
from myelin.db.sql import Statement


class StoredRoom(NamedTuple):
    """A room's row."""

    room_id: str
    room_version: str
    version: int
    extremities: str
    depth: int
    floor: int
    """Position of the event by which this server last came into the room; before all others where it made it."""
    whole_since: int
    """From where on all members were known, of a room that was joined without them; else before all others."""


_COLUMNS = "room_id, room_version, version, extremities, depth, floor, whole_since"


class RoomStore(Store):
    """Reads rooms."""

    @query(f"SELECT {_COLUMNS} FROM rooms WHERE room_id = :room_id")
    async def room(self, room_id: str) -> StoredRoom | None:
        """A room, if it is known here."""

    @query(f"SELECT {_COLUMNS} FROM rooms WHERE room_id IN :room_ids")
    async def rooms(self, room_ids: list[str]) -> list[StoredRoom]:
        """Those of the rooms that are known here."""

    @query("SELECT room_id FROM rooms WHERE room_id IN :room_ids AND version > :since")
    async def written_after(self, room_ids: list[str], since: int) -> list[str]:
        """Those of the rooms whose last event is after a position."""

    @query("SELECT room_id FROM rooms ORDER BY room_id")
    async def room_ids(self) -> list[str]:
        """Every room known here."""


@statement("UPDATE rooms SET room_version = :room_version WHERE room_id = :room_id")
def put_room_version(room_id: str, room_version: str) -> Statement:
    """A room of which only invites were known is of another version than somebody said."""


@statement("UPDATE rooms SET room_type = :room_type WHERE room_id = :room_id")
def put_room_type(room_id: str, room_type: str | None) -> Statement:
    """The type that the room's create event names."""


ADD_ROOM = ClaimSql(
    "ADD_ROOM",
    single="INSERT INTO rooms (room_id, room_version, version, extremities, depth) VALUES (:room_id, :room_version, "
    ":version, :extremities, :depth) ON CONFLICT DO NOTHING RETURNING room_id",
    bulk="INSERT INTO rooms (room_id, room_version, version, extremities, depth) SELECT * FROM unnest("
    ":room_id::text[], :room_version::text[], :version::bigint[], :extremities::text[], :depth::bigint[]) "
    "ON CONFLICT DO NOTHING RETURNING room_id",
    together="INSERT INTO rooms (room_id, room_version, version, extremities, depth) SELECT g.room_id, g.room_version, "
    "log.before + g.version, g.extremities, g.depth FROM log, unnest(:room_id::text[], :room_version::text[], "
    ":version::bigint[], :extremities::text[], :depth::bigint[]) "
    "AS g (room_id, room_version, version, extremities, depth) ON CONFLICT DO NOTHING RETURNING room_id",
    key=1,
    undo="DELETE FROM rooms WHERE room_id = :room_id",
)
"""A new room: `(room_id, room_version, version, extremities, depth)`."""

ADVANCE_ROOM = ClaimSql(
    "ADVANCE_ROOM",
    single="UPDATE rooms SET version = :version, extremities = :extremities, depth = :depth "
    "WHERE room_id = :room_id AND version = :expected RETURNING room_id",
    bulk="UPDATE rooms SET version = g.version, extremities = g.extremities, depth = g.depth FROM unnest("
    ":version::bigint[], :extremities::text[], :depth::bigint[], :room_id::text[], :expected::bigint[]) "
    "AS g (version, extremities, depth, room_id, expected) "
    "WHERE rooms.room_id = g.room_id AND rooms.version = g.expected RETURNING rooms.version",
    together="UPDATE rooms SET version = log.before + g.version, extremities = g.extremities, depth = g.depth "
    "FROM log, unnest("
    ":version::bigint[], :extremities::text[], :depth::bigint[], :room_id::text[], :expected::bigint[]) "
    "AS g (version, extremities, depth, room_id, expected) "
    "WHERE rooms.room_id = g.room_id AND rooms.version = g.expected RETURNING rooms.version",
    key=1,
)
"""The guard: `(version, extremities, depth, room_id, expected)`; its key is the new version, which is unique."""
