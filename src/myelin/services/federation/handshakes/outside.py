"""Memberships of our users in rooms that this server is not in."""

from myelin.db.connection import Database
from myelin.matrix.errors import IncompatibleRoomVersion
from myelin.matrix.events.pdu import Pdu
from myelin.matrix.room_versions import RoomVersion
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.graph.graph_writer import GraphWriter
from myelin.services.rooms.members import is_shell
from myelin.services.rooms.room import Room
from myelin.store.events import EventStore
from myelin.store.state import StateStore

PENDING = ("invite", "knock")


class OutsideMemberships:
    """Writes them, each once."""

    def __init__(self, rooms: Rooms, graph: GraphWriter, database: Database) -> None:
        self._rooms = rooms
        self._graph = graph
        self._events = EventStore(database)
        self._state = StateStore(database)

    async def put(self, version: RoomVersion, pdu: Pdu) -> None:
        """Have our user be invited, knocking or gone; nothing happens where the event is here already.

        Raises IncompatibleRoomVersion where the room is known to be of another version.
        """
        room = await self._rooms.find(pdu.room_id)
        if room is not None and room.version is not version and not await self._may_be_anything(room):
            known = room.version.identifier
            raise IncompatibleRoomVersion("The room is known here with another version", room_version=known)
        if not await self._events.places([pdu.event_id]):
            await self._graph.put_outside_membership(version, pdu)

    async def _may_be_anything(self, room: Room) -> bool:
        """Whether nothing is here but what came of invites that are over: whoever invited said what version it is."""
        if not is_shell(room):
            return False
        members = await self._state.members_at(room.room_id, room.position)
        return not any(member.membership in PENDING for member in members)
