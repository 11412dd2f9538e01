"""In which thread an event is (spec: "Marking notifications as read")."""

from myelin.db.connection import Database
from myelin.matrix.events.pdu import Pdu
from myelin.matrix.relations import MAX_THREAD_HOPS, relation_of, thread_root
from myelin.services.receipts.receipts import MAIN
from myelin.services.rooms.room import Room
from myelin.services.rooms.rows import to_pdu
from myelin.store.events import EventStore


class EventThreads:
    """Follows relations, nearly always without asking the database."""

    def __init__(self, database: Database) -> None:
        self._events = EventStore(database)

    async def of(self, room: Room, pdu: Pdu) -> str:
        """The root of the event's thread, or `main`."""
        if "m.relates_to" not in pdu.content:
            return MAIN
        hops = 0
        while True:
            relation = relation_of(pdu.content)
            root = thread_root(relation)
            if root is not None:
                return root
            if relation is None or relation.event_id is None or hops == MAX_THREAD_HOPS:
                return MAIN
            target = await self._event(room, relation.event_id)
            if target is None:
                return MAIN
            pdu = target
            hops += 1

    async def _event(self, room: Room, event_id: str) -> Pdu | None:
        held = room.timeline.get(event_id)
        if held is not None:
            return held.pdu
        rows = await self._events.events([event_id])
        return to_pdu(rows[0], room.version) if rows and rows[0].room_id == room.room_id else None
