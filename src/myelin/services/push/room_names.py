"""What a room and its members are called, for people."""

from heapq import nsmallest

from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.members import content_of
from myelin.services.rooms.room import MEMBER, Room

NAMED_MEMBERS = 3


class RoomNames:
    """Reads names from the room's state (spec: "Calculating the display name for a room")."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    async def of_member(self, room: Room, user_id: str) -> str:
        """A member's display name; empty where they have none."""
        await self._rooms.hold_state(room, ((MEMBER, user_id),))
        name = content_of(room, MEMBER, user_id).get("displayname")
        return name if isinstance(name, str) else ""

    async def of_room(self, room: Room, reader: str) -> str:
        """The room's name, or else its alias, or else the names of some members other than the reader."""
        for event_type, field in (("m.room.name", "name"), ("m.room.canonical_alias", "alias")):
            name = content_of(room, event_type).get(field)
            if isinstance(name, str) and name:
                return name
        others = (room.joined | room.invited) - {reader}
        shown = [await self.of_member(room, user_id) or user_id for user_id in nsmallest(NAMED_MEMBERS, others)]
        if len(others) > NAMED_MEMBERS:
            return f"{', '.join(shown)} and {len(others) - NAMED_MEMBERS} others"
        return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)
