"""Rooms of spaces for other servers, as far as their users could come in or look in."""

from typing import Any

from myelin.matrix.errors import NotFound
from myelin.matrix.server_acl import ServerAcl
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.hierarchy_room import children, shown
from myelin.services.rooms.members import content_of, is_world_readable, join_rule
from myelin.services.rooms.restricted import RestrictedRooms, allowed_rooms
from myelin.services.rooms.room import Room
from myelin.services.rooms.summary import Summaries
from myelin.services.rooms.summary_fields import OPEN_RULES, RoomSummary, summary_fields

SERVER_ACL = "m.room.server_acl"
MAX_CHILDREN = 1_000
"""Rooms below a space that are described in one answer."""


class SharedSpaces:
    """Tells servers of rooms that this server is in."""

    def __init__(self, rooms: Rooms, summaries: Summaries) -> None:
        self._rooms = rooms
        self._summaries = summaries

    async def space(self, origin: str, room_id: str, *, suggested_only: bool) -> dict[str, Any]:
        """A room, and those below it. Raises NotFound where the room is not here or closed to that server's users."""
        room = await self._rooms.find(room_id)
        if room is None or not self._summaries.is_here(room) or not await self.may_look(room, origin):
            raise NotFound("There is no such room here, or your users may not look at it")
        found: list[RoomSummary] = []
        hidden: list[str] = []
        for child in children(room, suggested_only=suggested_only)[:MAX_CHILDREN]:
            below = await self._rooms.find(child.key[1])
            if below is None or not self._summaries.is_here(below):
                continue  # others know better
            if await self.may_look(below, origin):
                found.append(RoomSummary(**summary_fields(below)))
            else:
                hidden.append(below.room_id)
        return {
            "room": shown(room, suggested_only=suggested_only),
            "children": found,
            "inaccessible_children": hidden,
        }

    async def may_look(self, room: Room, origin: str) -> bool:
        """Whether users of a server may see the room's summary: one is in it or invited, or could come in or knock."""
        if (SERVER_ACL, "") in room.state and not ServerAcl(content_of(room, SERVER_ACL)).allows(origin):
            return False
        if origin in room.servers or any(user_id.endswith(f":{origin}") for user_id in room.invited):
            return True
        rule = join_rule(room)
        if rule == "public" or is_world_readable(room):
            return True
        if rule in OPEN_RULES and room.version.knock:
            return True
        if not RestrictedRooms.applies_to(room, rule):
            return False
        for room_id in allowed_rooms(room):
            allowed = await self._rooms.find(room_id)
            if allowed is not None and origin in allowed.servers:
                return True
        return False
