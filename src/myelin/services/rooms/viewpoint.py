"""From where a user looks at a room: what they see of it, and as of when."""

import asyncio
from typing import NamedTuple

from myelin.http.requester import Requester
from myelin.matrix.errors import Forbidden, NotFound
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.room import Room
from myelin.services.rooms.sight import Sight
from myelin.services.rooms.visibility import Visibility

WAIT_FOR_MEMBERS_S = 60.0
LOOK_EVERY_S = 0.1


class Viewpoint(NamedTuple):
    """A user who reads a room."""

    room: Room
    user_id: str
    device_id: str | None
    sight: Sight
    position: int
    """The user reads the room's state as of this position: the current one, or that at which they left."""


class Viewpoints:
    """Lets users look at rooms."""

    def __init__(self, rooms: Rooms, visibility: Visibility) -> None:
        self._rooms = rooms
        self._visibility = visibility

    async def of(self, requester: Requester, room_id: str) -> Viewpoint:
        """Look at a room. Raises Forbidden where the user may read nothing of it, or it is not there."""
        room = await self._rooms.find(room_id)
        if room is None:
            raise Forbidden("You are not a member of this room")
        await self._visibility.refresh(room)
        position = await self._visibility.may_read_state(room, requester.user_id)
        sight = await self._visibility.sight(room, requester.user_id)
        return Viewpoint(room, requester.user_id, requester.device_id, sight, position)

    async def again(self, view: Viewpoint) -> Viewpoint:
        """The same view of a room that has got more of its past meanwhile."""
        await self._visibility.refresh(view.room)
        return view._replace(sight=await self._visibility.sight(view.room, view.user_id))

    async def of_whole(self, requester: Requester, room_id: str) -> Viewpoint:
        """Look at all of a room: where its members are still being fetched, once they are here. Raises Forbidden.

        After a while the user sees what there is.
        """
        for _ in range(int(WAIT_FOR_MEMBERS_S / LOOK_EVERY_S)):
            view = await self.of(requester, room_id)
            if view.room.partial_servers is None:
                return view
            await asyncio.sleep(LOOK_EVERY_S)
        return await self.of(requester, room_id)

    async def of_events(self, requester: Requester, room_id: str) -> Viewpoint:
        """Look for single events, which users may see of rooms that they cannot read as a whole. Raises NotFound."""
        room = await self._rooms.find(room_id)
        if room is None:
            raise NotFound("There is no such event")
        await self._visibility.refresh(room)
        sight = await self._visibility.sight(room, requester.user_id)
        return Viewpoint(room, requester.user_id, requester.device_id, sight, room.position)
