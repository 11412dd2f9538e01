"""In which rooms a user may have something unread."""

from typing import NamedTuple

from myelin.db.query import Store, query


class JoinedRoom(NamedTuple):
    """A room that a user is joined to, and the position of their membership event."""

    room_id: str
    joined_at: int


class ActiveRoom(NamedTuple):
    """A room that a user is joined to, and the position of its last event."""

    room_id: str
    version: int


_JOINED = (
    "s.type = 'm.room.member' AND s.state_key = :user_id AND s.to_pos = 9223372036854775807 AND s.membership = 'join'"
)


class UnreadRoomStore(Store):
    """Looks at memberships, rooms and receipts together."""

    @query(
        "SELECT s.room_id, s.from_pos FROM state AS s JOIN rooms AS r ON r.room_id = s.room_id "
        f"WHERE {_JOINED} AND r.version > COALESCE((SELECT MAX(c.event_position) FROM receipts AS c "
        "WHERE c.room_id = s.room_id AND c.user_id = :user_id AND c.thread_id = ''), 0)"
    )
    async def maybe_unread(self, user_id: str) -> list[JoinedRoom]:
        """Rooms with events after the user's unthreaded receipt."""

    @query(f"SELECT s.from_pos FROM state AS s WHERE s.room_id = :room_id AND {_JOINED}")
    async def joined_at(self, room_id: str, user_id: str) -> int | None:
        """Where a user's membership event stands if they are joined."""

    @query(
        "SELECT s.room_id, r.version FROM state AS s JOIN rooms AS r ON r.room_id = s.room_id "
        f"WHERE {_JOINED} ORDER BY r.version DESC"
    )
    async def active(self, user_id: str) -> list[ActiveRoom]:
        """All rooms that a user is joined to, those with the newest events first."""

    @query(
        "SELECT COUNT(*) FROM (SELECT type, sender FROM events WHERE room_id = :room_id AND flags = 0 "
        "AND position > :after ORDER BY position DESC LIMIT :limit) AS newest "
        "WHERE type = 'm.call.invite' AND sender <> :user_id"
    )
    async def calls_after(self, room_id: str, user_id: str, after: int, limit: int) -> int:
        """How many times others called among the last events after a position."""
