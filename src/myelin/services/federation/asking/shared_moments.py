"""The event closest to a moment, for servers whose users may read the room then."""

from myelin.matrix.errors import Forbidden, NotFound
from myelin.matrix.server_acl import ServerAcl
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.events_by_time import EventsByTime
from myelin.services.rooms.members import content_of
from myelin.services.rooms.room import Room
from myelin.services.rooms.timeline import TimelineEvent
from myelin.services.rooms.viewpoint import Viewpoint
from myelin.services.rooms.visibility import Visibility

SERVER_ACL = "m.room.server_acl"
MAX_READERS = 10
"""Members of the asking server through whose eyes the room is looked at. More may be in it: then it is told less."""


class SharedMoments:
    """Tells servers that are in a room."""

    def __init__(self, rooms: Rooms, visibility: Visibility, by_time: EventsByTime) -> None:
        self._rooms = rooms
        self._visibility = visibility
        self._by_time = by_time

    async def closest(self, origin: str, room_id: str, ts: int, *, is_back: bool) -> TimelineEvent:
        """The closest event at a time, in milliseconds, or after it, with `is_back` before it.

        Raises Forbidden for a server that is not in the room, NotFound where there is no event that it may read.
        """
        room = await self._rooms.find(room_id)
        if room is None or origin not in room.servers or not _allows(room, origin):
            raise Forbidden("Your server is not in this room")
        found: list[TimelineEvent] = []
        for user_id in _members(room, origin):
            sight = await self._visibility.sight(room, user_id)
            view = Viewpoint(room, user_id, None, sight, room.position)
            try:
                found.append(await self._by_time.closest_here(view, ts, is_back=is_back))
            except NotFound:
                continue
            if sight.sees_all:
                break
        if not found:
            raise NotFound(f"There is no event {'before' if is_back else 'after'} {ts}")
        return min(found, key=lambda event: abs(event.pdu.origin_server_ts - ts))


def _allows(room: Room, origin: str) -> bool:
    return (SERVER_ACL, "") not in room.state or ServerAcl(content_of(room, SERVER_ACL)).allows(origin)


def _members(room: Room, origin: str) -> list[str]:
    suffix = f":{origin}"
    found: list[str] = []
    for user_id in room.joined:
        if user_id.endswith(suffix) and user_id.partition(":")[2] == origin:
            found.append(user_id)
            if len(found) == MAX_READERS:
                break
    return found
