"""Room aliases, and the list of rooms that this server publishes."""

from typing import NamedTuple

from myelin.db.claims import Claim, ClaimSql
from myelin.db.query import Store, query, statement
from myelin.db.sql import Statement
from myelin.store.state import OPEN


class RoomAlias(NamedTuple):
    """An alias and where it points to."""

    room_alias: str
    room_id: str
    creator: str


class DirectoryStore(Store):
    """Reads and changes aliases."""

    @query("SELECT room_alias, room_id, creator FROM room_aliases WHERE room_alias = :room_alias")
    async def alias(self, room_alias: str) -> RoomAlias | None:
        """An alias, if it is taken."""

    @query("SELECT room_alias, room_id, creator FROM room_aliases WHERE room_id = :room_id ORDER BY room_alias")
    async def of_room(self, room_id: str) -> list[RoomAlias]:
        """All aliases of a room."""

    @query("SELECT COUNT(*) FROM room_aliases WHERE room_id = :room_id")
    async def count_of_room(self, room_id: str) -> int:
        """How many aliases a room has."""

    @query("SELECT COUNT(*) FROM room_aliases WHERE creator = :creator")
    async def count_of_creator(self, creator: str) -> int:
        """How many aliases a user has made."""

    @query(
        "INSERT INTO room_aliases (room_alias, room_id, creator, created_ts) VALUES (:room_alias, :room_id, :creator, "
        ":created_ts) ON CONFLICT DO NOTHING"
    )
    async def add(self, room_alias: str, room_id: str, creator: str, created_ts: int) -> int:
        """Point a new alias to a room; 0 where it is taken."""

    @query("DELETE FROM room_aliases WHERE room_alias = :room_alias AND room_id = :room_id")
    async def delete(self, room_alias: str, room_id: str) -> int:
        """Remove an alias of a room."""

    @query("SELECT room_id FROM published_rooms WHERE room_id = :room_id")
    async def is_published(self, room_id: str) -> str | None:
        """The room's ID if it is on the public list."""


CLAIM_ALIAS = ClaimSql(
    "CLAIM_ALIAS",
    single="INSERT INTO room_aliases (room_alias, room_id, creator, created_ts) VALUES (:room_alias, :room_id, "
    ":creator, :created_ts) ON CONFLICT DO NOTHING RETURNING room_alias",
    bulk="INSERT INTO room_aliases (room_alias, room_id, creator, created_ts) SELECT * FROM unnest("
    ":room_alias::text[], :room_id::text[], :creator::text[], :created_ts::bigint[]) ON CONFLICT DO NOTHING "
    "RETURNING room_alias",
    key=1,
    undo="DELETE FROM room_aliases WHERE room_alias = :room_alias",
)
"""A new alias: `(room_alias, room_id, creator, created_ts)`."""


def claim_alias(room_alias: str, room_id: str, creator: str, now_ms: int) -> Claim:
    """The claim that goes with the creation of a room."""
    return Claim(CLAIM_ALIAS, (room_alias, room_id, creator, now_ms))


@statement("INSERT INTO published_rooms (room_id) VALUES (:room_id) ON CONFLICT DO NOTHING")
def publish_room(room_id: str) -> Statement:
    """Put a room on the public list."""


@statement("DELETE FROM published_rooms WHERE room_id = :room_id")
def unpublish_room(room_id: str) -> Statement:
    """Take a room off the public list."""


@statement("UPDATE room_aliases SET room_id = :new_room_id WHERE room_id = :old_room_id")
def move_aliases(old_room_id: str, new_room_id: str) -> Statement:
    """Point the aliases of one room to another."""


class ListedState(NamedTuple):
    """A state event of a published room."""

    room_id: str
    type: str
    json: bytes


class PublishedStore(Store):
    """Reads what the public list shows."""

    @query("SELECT room_id FROM published_rooms ORDER BY room_id")
    async def published(self) -> list[str]:
        """The rooms on the public list."""

    @query("SELECT room_id FROM published_rooms WHERE room_id IN :room_ids")
    async def of(self, room_ids: list[str]) -> list[str]:
        """Those of the rooms that are on the public list."""

    @query(
        "SELECT s.room_id, s.type, e.json FROM state s JOIN events e ON e.event_id = s.event_id "
        f"WHERE s.room_id IN :room_ids AND s.type IN :types AND s.state_key = '' AND s.to_pos = {OPEN}",
        slow=True,
    )
    async def state_of(self, room_ids: list[str], types: list[str]) -> list[ListedState]:
        """Current state events with an empty key."""

    @query(
        "SELECT room_id, COUNT(*) FROM state WHERE room_id IN :room_ids AND type = 'm.room.member' "
        f"AND membership = 'join' AND to_pos = {OPEN} GROUP BY room_id",
        slow=True,
    )
    async def joined_members_of(self, room_ids: list[str]) -> list[tuple[str, int]]:
        """How many are joined to each of the rooms."""
