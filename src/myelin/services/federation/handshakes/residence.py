"""Rooms that this server is in, as servers may ask for them that are not."""

import asyncio

from myelin.matrix.auth_rules.domains import domain_of
from myelin.matrix.errors import Forbidden, NotFound
from myelin.services.federation.receiving.receiver import may_take_part
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.members import is_resident
from myelin.services.rooms.room import Room

WAIT_FOR_MEMBERS_S = 5.0
LOOK_EVERY_S = 0.1


class Residence:
    """Tells which rooms this server can speak for."""

    def __init__(self, server_name: str, rooms: Rooms) -> None:
        self.server_name = server_name
        self._rooms = rooms

    async def room(self, origin: str, room_id: str) -> Room:
        """A room that one of our users is in and `origin` may be in. Raises NotFound or Forbidden.

        While its members are still being fetched there is nothing to be said about who may do what: that is waited for.
        """
        for _ in range(int(WAIT_FOR_MEMBERS_S / LOOK_EVERY_S)):
            room = await self._rooms.find(room_id)
            if room is None or not self.is_in(room):
                break
            if not may_take_part(room, origin):
                raise Forbidden("The room does not let your server take part")
            if room.partial_servers is None:
                return room
            await asyncio.sleep(LOOK_EVERY_S)
        raise NotFound("This server is not in the room")

    def is_in(self, room: Room) -> bool:
        """Whether one of our users is joined, so that the room's events come here."""
        return is_resident(room, self.server_name)

    def is_ours(self, user_id: str) -> bool:
        """Whether the user is one of this server."""
        return domain_of(user_id) == self.server_name
