"""Rooms that this server is in, as servers may ask for them that are not."""

from myelin.matrix.auth_rules.domains import domain_of
from myelin.matrix.errors import Forbidden, NotFound
from myelin.services.federation.receiving.receiver import may_take_part
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.members import is_resident
from myelin.services.rooms.room import Room


class Residence:
    """Tells which rooms this server can speak for."""

    def __init__(self, server_name: str, rooms: Rooms) -> None:
        self.server_name = server_name
        self._rooms = rooms

    async def room(self, origin: str, room_id: str) -> Room:
        """A room that one of our users is in and `origin` may be in. Raises NotFound or Forbidden."""
        room = await self._rooms.find(room_id)
        if room is None or not self.is_in(room) or room.partial_servers is not None:
            # While its members are still to be fetched there is nothing to be said about who may do what.
            raise NotFound("This server is not in the room")
        if not may_take_part(room, origin):
            raise Forbidden("The room does not let your server take part")
        return room

    def is_in(self, room: Room) -> bool:
        """Whether one of our users is joined, so that the room's events come here."""
        return is_resident(room, self.server_name)

    def is_ours(self, user_id: str) -> bool:
        """Whether the user is one of this server."""
        return domain_of(user_id) == self.server_name
