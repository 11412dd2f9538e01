"""What a room shows of itself to those who are not in it, and to whom (spec: room_summary.yaml)."""

from collections.abc import Sequence, Set

import msgspec

from myelin.db.connection import Database
from myelin.matrix.errors import NotFound
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.hierarchy_room import may_look_from_afar
from myelin.services.rooms.members import is_world_readable, join_rule, membership_of
from myelin.services.rooms.ports import RemoteSpaceSources
from myelin.services.rooms.restricted import RestrictedRooms, allowed_rooms
from myelin.services.rooms.room import CREATE, Room
from myelin.services.rooms.summary_fields import OPEN_RULES, RoomSummary, summary_fields
from myelin.store.state import StateStore


class Reader(msgspec.Struct, frozen=True):
    """Who wants to look, with the rooms they are joined to; both empty for who is not signed in."""

    user_id: str | None
    joined: Set[str]


class Summaries:
    """Shows rooms to those who may look at them."""

    def __init__(self, server_name: str, rooms: Rooms, database: Database, remote: RemoteSpaceSources) -> None:
        self._server_name = server_name
        self._rooms = rooms
        self._remote = remote
        self._state = StateStore(database)

    async def reader(self, user_id: str | None) -> Reader:
        """A reader, for many rooms."""
        if user_id is None:
            return Reader(None, frozenset())
        memberships = await self._state.memberships_of(user_id)
        return Reader(user_id, frozenset(m.room_id for m in memberships if m.membership == "join"))

    async def summary(self, user_id: str | None, room_id: str, via: Sequence[str] = ()) -> RoomSummary:
        """A room's summary with the reader's membership. Raises NotFound, also where they may not look.

        A room that is not here is asked for at the servers `via`, for who is signed in.
        """
        room = await self._rooms.find(room_id)
        reader = await self.reader(user_id)
        if room is None or not self.is_here(room):
            return await self._from_afar(reader, room, room_id, via)
        if not await self.may_look(room, reader):
            raise _no_such_room()
        fields = summary_fields(room)
        if user_id is not None:
            fields["membership"] = await membership_of(self._rooms, room, user_id) or "leave"
        return RoomSummary(**fields)

    async def _from_afar(self, reader: Reader, shell: Room | None, room_id: str, via: Sequence[str]) -> RoomSummary:
        """What other servers say of a room; `shell` is what is here of it, such as an invite."""
        if reader.user_id is None:
            raise _no_such_room()
        found = await self._remote.space(room_id, via, suggested_only=False)
        membership = None if shell is None else await membership_of(self._rooms, shell, reader.user_id)
        if found is None or not (membership == "invite" or may_look_from_afar(found.room, reader.joined)):
            raise _no_such_room()
        fields = {name: getattr(found.room, name) for name in RoomSummary.__struct_fields__}
        return RoomSummary(**{**fields, "membership": membership or "leave"})

    def is_here(self, room: Room) -> bool:
        """Whether this server is in the room, so that it knows how the room is now."""
        return CREATE in room.state and self._server_name in room.servers

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


def _no_such_room() -> NotFound:
    return NotFound("There is no such room here, or you may not look at it")
