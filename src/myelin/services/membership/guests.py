"""Guests leave rooms that close to them (spec: client-server API, "Guest Access")."""

from myelin.db.connection import Database
from myelin.services.membership.joining import GUEST_ACCESS
from myelin.services.membership.memberships import Memberships
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.members import content_of
from myelin.store.room_tasks import GuestStore


class Guests:
    """Holds guest access to what the rooms say."""

    def __init__(self, server_name: str, database: Database, rooms: Rooms, memberships: Memberships) -> None:
        self._suffix = f":{server_name}"
        self._store = GuestStore(database)
        self._rooms = rooms
        self._memberships = memberships

    async def enforce(self, room_id: str) -> None:
        """Take guests of this server out of a room that does not let guests join any more."""
        room = await self._rooms.get(room_id)
        if content_of(room, GUEST_ACCESS).get("guest_access") == "can_join":
            return
        local = [user_id for user_id in room.joined if user_id.endswith(self._suffix)]
        for user_id in await self._store.guests(local):
            await self._memberships.leave(user_id, room_id, "Guests may no longer be in this room")
