"""What a room shows of itself to those who are not in it, and to whom (spec: room_summary.yaml)."""

from collections.abc import Set
from typing import Any

import msgspec

from myelin.db.connection import Database
from myelin.matrix.errors import NotFound
from myelin.services.directory.public_room import SHOWN_TYPES, PublicRoom, shown_fields
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.members import content_of, is_world_readable, join_rule, membership_of
from myelin.services.rooms.restricted import RestrictedRooms, allowed_rooms
from myelin.services.rooms.room import Room
from myelin.store.state import StateStore

OPEN_RULES = frozenset({"public", "knock", "knock_restricted"})
"""Join rules under which anybody may look at the summary."""
MEGOLM = "m.megolm.v1.aes-sha2"


class RoomSummary(PublicRoom, frozen=True, omit_defaults=True, kw_only=True):
    """A room as its summary shows it; `membership` is the reader's."""

    allowed_room_ids: tuple[str, ...] | None = None
    encryption: str | None = None
    room_version: str | None = None
    membership: str | None = None


class Reader(msgspec.Struct, frozen=True):
    """Who wants to look, with the rooms they are joined to; both empty for who is not signed in."""

    user_id: str | None
    joined: Set[str]


class Summaries:
    """Shows rooms to those who may look at them."""

    def __init__(self, rooms: Rooms, database: Database) -> None:
        self._rooms = rooms
        self._state = StateStore(database)

    async def reader(self, user_id: str | None) -> Reader:
        """A reader, for many rooms."""
        if user_id is None:
            return Reader(None, frozenset())
        memberships = await self._state.memberships_of(user_id)
        return Reader(user_id, frozenset(m.room_id for m in memberships if m.membership == "join"))

    async def summary(self, user_id: str | None, room_id: str) -> RoomSummary:
        """A room's summary with the reader's membership. Raises NotFound, also where they may not look."""
        room = await self._rooms.find(room_id)
        if room is None or not await self.may_look(room, await self.reader(user_id)):
            raise NotFound("There is no such room here, or you may not look at it")
        fields = summary_fields(room)
        if user_id is not None:
            fields["membership"] = await membership_of(self._rooms, room, user_id) or "leave"
        return RoomSummary(**fields)

    async def may_look(self, room: Room, reader: Reader) -> bool:
        """Whether a reader may see the summary: they are in, could come in or knock, or the history is open to all."""
        user_id = reader.user_id
        if user_id is not None:
            if room.membership(user_id) is not None:
                return True
            if await membership_of(self._rooms, room, user_id) == "ban":
                return False
        rule = join_rule(room)
        if rule == "public" or is_world_readable(room):
            return True
        if rule in OPEN_RULES and room.version.knock:
            return True
        return RestrictedRooms.applies_to(room, rule) and not reader.joined.isdisjoint(allowed_rooms(room))


def summary_fields(room: Room) -> dict[str, Any]:
    """The fields of a `RoomSummary` that are the same for every reader; the caller may add to the dict."""
    held = room.cached.get(RoomSummary)
    if isinstance(held, dict):
        return dict(held)
    contents = {event_type: content_of(room, event_type) for event_type in SHOWN_TYPES}
    fields = shown_fields(room.room_id, contents, len(room.joined))
    fields["room_version"] = room.version.identifier
    if content_of(room, "m.room.encryption").get("algorithm") == MEGOLM:
        fields["encryption"] = MEGOLM
    if RestrictedRooms.applies_to(room, join_rule(room)):
        fields["allowed_room_ids"] = tuple(sorted(allowed_rooms(room)))
    room.cached[RoomSummary] = fields
    return dict(fields)
