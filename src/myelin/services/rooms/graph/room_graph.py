"""The state of a room at any point of its graph."""

from collections.abc import Iterable

from myelin.matrix.events.pdu import Pdu, StateMap
from myelin.matrix.room_versions import RoomVersion
from myelin.services.rooms.room import Room


class RoomGraph:
    """Finds state and auth chains. The maps that it gives are shared: read-only."""

    async def state_after(self, room: Room, event_ids: Iterable[str]) -> StateMap:
        """The state after some events, resolved where there are several. Raises NotFound where one has no place here."""
        raise NotImplementedError

    async def state_before(self, room: Room, event_id: str) -> StateMap:
        """The state before an event of the room's timeline. Raises NotFound where it has no place here."""
        raise NotImplementedError

    async def auth_chain(self, event_ids: Iterable[str], version: RoomVersion) -> dict[str, Pdu]:
        """The auth chains of some events, by ID, without the events themselves unless one authorizes another."""
        raise NotImplementedError
