"""Room state as intervals: a row says from which position (included) to which (not included) an event was current."""

from typing import NamedTuple

from myelin.db.query import Store, query, statement
from myelin.db.sql import Statement

OPEN = 9_223_372_036_854_775_807
"""`to_pos` of what is current."""
FIRST = -OPEN
"""Before every `from_pos`."""


class StateRow(NamedTuple):
    """An entry of a room's state."""

    type: str
    state_key: str
    event_id: str
    membership: str | None


class RoomStateRow(NamedTuple):
    """An entry of the state of one of several rooms."""

    room_id: str
    type: str
    state_key: str
    event_id: str
    membership: str | None


class StateChange(NamedTuple):
    """An entry that began at a position."""

    room_id: str
    type: str
    state_key: str
    event_id: str
    from_pos: int


class Membership(NamedTuple):
    """A user's membership of a room, from a position on."""

    room_id: str
    user_id: str
    membership: str | None
    event_id: str
    from_pos: int
    to_pos: int


class VisibilityChange(NamedTuple):
    """A room's history visibility event, from a position on."""

    room_id: str
    from_pos: int
    json: bytes


class Forgotten(NamedTuple):
    """A room that a user wants to see no more, since a position."""

    user_id: str
    room_id: str
    position: int


class Interval(NamedTuple):
    """A stretch of the log during which an event was current."""

    event_id: str
    membership: str | None
    from_pos: int
    to_pos: int


_MEMBERSHIP = "room_id, state_key, membership, event_id, from_pos, to_pos"


class StateStore(Store):
    """Reads state and memberships."""

    @query(
        "SELECT type, state_key, event_id, membership FROM state WHERE room_id = :room_id "
        "AND from_pos <= :position AND to_pos > :position"
    )
    async def at(self, room_id: str, position: int) -> list[StateRow]:
        """The room's whole state after the event at a position."""

    @query(
        "SELECT room_id, type, state_key, event_id, membership FROM state WHERE room_id IN :room_ids "
        "AND from_pos <= :position AND to_pos > :position"
    )
    async def of_rooms_at(self, room_ids: list[str], position: int) -> list[RoomStateRow]:
        """The whole state of some rooms at a position."""

    @query(
        "SELECT type, state_key, event_id, membership FROM state WHERE room_id = :room_id AND type IN :types "
        "AND from_pos <= :position AND to_pos > :position"
    )
    async def of_types_at(self, room_id: str, types: list[str], position: int) -> list[StateRow]:
        """The entries of some types at a position."""

    @query(
        "SELECT type, state_key, event_id, membership FROM state WHERE room_id = :room_id AND type IN :types "
        "AND state_key IN :state_keys AND from_pos <= :position AND to_pos > :position"
    )
    async def of_keys_at(self, room_id: str, types: list[str], state_keys: list[str], position: int) -> list[StateRow]:
        """The entries at a position whose type is one of some and whose state key is one of some."""

    @query(
        "SELECT event_id FROM state WHERE room_id = :room_id AND type = :type AND state_key = :state_key "
        "AND from_pos <= :position AND to_pos > :position"
    )
    async def entry_at(self, room_id: str, type: str, state_key: str, position: int) -> str | None:  # noqa: A002
        """One entry at a position."""

    @query(
        "SELECT room_id, type, state_key, event_id, from_pos FROM state WHERE room_id = :room_id "
        "AND from_pos > :after AND from_pos <= :until AND to_pos > :until"
    )
    async def changed(self, room_id: str, after: int, until: int) -> list[StateChange]:
        """The entries at `until` that were not current at `after`."""

    @query(
        "SELECT room_id, type, state_key, event_id, from_pos FROM state WHERE from_pos >= :first AND from_pos <= :last",
        slow=True,
    )
    async def begun_between(self, first: int, last: int) -> list[StateChange]:
        """All rooms' state changes of a range of the log, both ends included."""

    @query(
        "SELECT event_id, membership, from_pos, to_pos FROM state WHERE room_id = :room_id AND type = :type "
        "AND state_key = :state_key ORDER BY from_pos"
    )
    async def history(self, room_id: str, type: str, state_key: str) -> list[Interval]:  # noqa: A002
        """All that one entry ever was, oldest first."""

    @query(
        "SELECT event_id, membership, from_pos, to_pos FROM state WHERE room_id = :room_id "
        "AND type = 'm.room.member' AND state_key LIKE '%' || :suffix",
        slow=True,
    )
    async def server_memberships(self, room_id: str, suffix: str) -> list[Interval]:
        """All that the memberships of users whose ID ends in some way ever were."""

    @query(
        f"SELECT {_MEMBERSHIP} FROM state WHERE type = 'm.room.member' AND state_key = :user_id "
        f"AND to_pos = {OPEN} ORDER BY room_id"
    )
    async def memberships_of(self, user_id: str) -> list[Membership]:
        """A user's current memberships, of every kind."""

    @query(
        f"SELECT {_MEMBERSHIP} FROM state WHERE type = 'm.room.member' AND state_key = :user_id "
        "AND from_pos <= :position AND to_pos > :position"
    )
    async def memberships_at(self, user_id: str, position: int) -> list[Membership]:
        """A user's memberships at a position."""

    @query(
        f"SELECT {_MEMBERSHIP} FROM state WHERE type = 'm.room.member' AND state_key = :user_id "
        "AND from_pos <= :until AND to_pos > :after ORDER BY room_id, from_pos"
    )
    async def memberships_between(self, user_id: str, after: int, until: int) -> list[Membership]:
        """What a user's memberships were at one position and from there to another, by room, oldest first."""

    @query(
        "SELECT room_id, membership, event_id, from_pos, to_pos FROM state "
        "WHERE type = 'm.room.member' AND state_key = :user_id "
        "AND (room_id, from_pos) > (:room_id, :from_pos) AND from_pos <= :position "
        "ORDER BY room_id, from_pos LIMIT :limit"
    )
    async def memberships_from(
        self, user_id: str, position: int, room_id: str, from_pos: int, limit: int
    ) -> list[tuple[str, str | None, str, int, int]]:
        """What a user's memberships ever were up to a position, by room, oldest first: those after one in a room.

        Room ID, membership, event ID, and from when to when.
        """

    @query(
        f"SELECT {_MEMBERSHIP} FROM state WHERE type = 'm.room.member' AND state_key = :user_id "
        "AND room_id = :room_id ORDER BY from_pos"
    )
    async def memberships_in(self, user_id: str, room_id: str) -> list[Membership]:
        """All that a user's membership of a room ever was, oldest first."""

    @query(
        f"SELECT {_MEMBERSHIP} FROM state WHERE type = 'm.room.member' AND state_key = :user_id "
        "AND room_id IN :room_ids ORDER BY room_id, from_pos"
    )
    async def all_memberships_in(self, user_id: str, room_ids: list[str]) -> list[Membership]:
        """All that a user's memberships of some rooms ever were, by room, oldest first."""

    @query(
        f"SELECT {_MEMBERSHIP} FROM state WHERE room_id = :room_id AND type = 'm.room.member' "
        "AND from_pos <= :position AND to_pos > :position"
    )
    async def members_at(self, room_id: str, position: int) -> list[Membership]:
        """Everybody's membership of a room at a position."""

    @query(
        "SELECT DISTINCT theirs.state_key FROM state AS mine JOIN state AS theirs ON theirs.room_id = mine.room_id "
        f"AND theirs.type = 'm.room.member' AND theirs.to_pos = {OPEN} AND theirs.membership = 'join' "
        f"WHERE mine.type = 'm.room.member' AND mine.state_key = :user_id AND mine.to_pos = {OPEN} "
        "AND mine.membership = 'join'"
    )
    async def users_sharing_rooms_with(self, user_id: str) -> list[str]:
        """Everybody who is joined to a room that the user is joined to, the user included."""

    @query(
        "SELECT replaced.event_id, replaced.membership, current.from_pos, current.to_pos FROM state AS current "
        "JOIN state AS replaced ON replaced.room_id = current.room_id AND replaced.type = current.type "
        "AND replaced.state_key = current.state_key AND replaced.to_pos = current.from_pos "
        "WHERE current.room_id = :room_id AND current.type = :type AND current.state_key = :state_key "
        "AND current.from_pos = :position"
    )
    async def replaced_at(self, room_id: str, type: str, state_key: str, position: int) -> Interval | None:  # noqa: A002
        """What an entry was before it changed at a position."""

    @query(
        "SELECT DISTINCT state_key FROM state WHERE room_id IN :room_ids AND type = 'm.room.member' "
        "AND membership = 'join' AND from_pos <= :after AND to_pos > :after AND to_pos <= :until"
    )
    async def joins_ended(self, room_ids: list[str], after: int, until: int) -> list[str]:
        """Users who were joined to one of the rooms at `after`, and whose membership changed up to `until`."""

    @query(
        "SELECT DISTINCT now.state_key FROM state AS now WHERE now.room_id IN :room_ids AND now.type = 'm.room.member' "
        "AND now.membership = 'join' AND now.from_pos > :after AND now.from_pos <= :until AND now.to_pos > :until "
        "AND (NOT EXISTS (SELECT 1 FROM state AS was WHERE was.room_id = now.room_id AND was.type = now.type "
        "AND was.state_key = now.state_key AND was.membership = 'join' AND was.from_pos <= :after "
        "AND was.to_pos > :after) "
        "OR EXISTS (SELECT 1 FROM state AS away WHERE away.room_id = now.room_id AND away.type = now.type "
        "AND away.state_key = now.state_key AND away.membership <> 'join' AND away.from_pos > :after "
        "AND away.to_pos <= :until))"
    )
    async def joins_begun(self, room_ids: list[str], after: int, until: int) -> list[str]:
        """Users who are joined to one of the rooms at `until` and were not all the time since `after`."""

    @query(
        "SELECT DISTINCT state_key FROM state WHERE room_id IN :room_ids AND type = 'm.room.member' "
        "AND membership = 'invite' AND from_pos > :after AND from_pos <= :until AND to_pos > :until"
    )
    async def invites_begun(self, room_ids: list[str], after: int, until: int) -> list[str]:
        """Users who are invited to one of the rooms at `until` by a membership that is newer than `after`."""

    @query(
        "SELECT s.room_id, s.from_pos, e.json FROM state AS s JOIN events AS e ON e.event_id = s.event_id "
        "WHERE s.room_id IN :room_ids AND s.type = 'm.room.history_visibility' AND s.state_key = '' ORDER BY s.from_pos"
    )
    async def history_visibilities(self, room_ids: list[str]) -> list[VisibilityChange]:
        """All that the history visibility of some rooms ever was, oldest first."""

    @query(
        "SELECT event_id FROM state WHERE room_id = :room_id AND type = 'm.room.member' AND state_key IN :user_ids "
        "AND from_pos <= :position AND to_pos > :position"
    )
    async def member_events_at(self, room_id: str, user_ids: list[str], position: int) -> list[str]:
        """The membership events of some users at a position."""

    @query(
        "SELECT s.state_key, e.json FROM state AS s JOIN events AS e ON e.event_id = s.event_id "
        f"WHERE s.room_id = :room_id AND s.type = 'm.room.member' AND s.to_pos = {OPEN} AND s.membership = 'join'"
    )
    async def joined_members(self, room_id: str) -> list[tuple[str, bytes]]:
        """Everybody who is joined to a room now, with their membership event's JSON."""

    @query(
        "SELECT user_id, room_id, position FROM forgotten_rooms WHERE position >= :first AND position <= :last",
        slow=True,
    )
    async def forgotten_between(self, first: int, last: int) -> list[Forgotten]:
        """What was forgotten in a range of the log, both ends included."""

    @query("SELECT room_id FROM forgotten_rooms WHERE user_id = :user_id")
    async def forgotten(self, user_id: str) -> list[str]:
        """Rooms that a user left and forgot."""


@statement(
    "INSERT INTO state (room_id, type, state_key, from_pos, event_id, membership) "
    "VALUES (:room_id, :type, :state_key, :from_pos, :event_id, :membership)"
)
def begin_state(
    room_id: str,
    type: str,  # noqa: A002  (the spec's word)
    state_key: str,
    from_pos: int,
    event_id: str,
    membership: str | None,
) -> Statement:
    """An entry becomes current."""


@statement(
    "UPDATE state SET to_pos = :position WHERE room_id = :room_id AND type = :type AND state_key = :state_key "
    "AND from_pos < :position AND to_pos > :position"
)
def end_state(room_id: str, type: str, state_key: str, position: int) -> Statement:  # noqa: A002
    """What was current before a position is not any more: run after `begin_state`, in any order among themselves."""


@statement(
    "INSERT INTO forgotten_rooms (user_id, room_id, position) VALUES (:user_id, :room_id, :position) "
    "ON CONFLICT (user_id, room_id) DO UPDATE SET position = excluded.position"
)
def forget_room(user_id: str, room_id: str, position: int) -> Statement:
    """The user does not want to see the room in their lists any more."""


@statement("DELETE FROM forgotten_rooms WHERE user_id = :user_id AND room_id = :room_id")
def remember_room(user_id: str, room_id: str) -> Statement:
    """The user is in the room again."""
