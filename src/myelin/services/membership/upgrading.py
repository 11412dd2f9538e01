"""Upgrading a room, and taking the settings of the user who did it along."""

from typing import Any

from myelin.services.membership.replaced_rooms import ReplacedRooms
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.upgrade import RoomUpgrades


class Upgrading:
    """Upgrades rooms."""

    def __init__(self, rooms: Rooms, upgrades: RoomUpgrades, replaced: ReplacedRooms) -> None:
        self._rooms = rooms
        self._upgrades = upgrades
        self._replaced = replaced

    async def upgrade(self, user_id: str, room_id: str, new_version: str, creators: Any = None) -> str:
        """Make the replacement of a room; its ID. Raises Forbidden, NotFound, BadJson or UnsupportedRoomVersion."""
        new_id = await self._upgrades.upgrade(user_id, room_id, new_version, creators)
        await self._replaced.joined(user_id, await self._rooms.get(new_id))
        return new_id
