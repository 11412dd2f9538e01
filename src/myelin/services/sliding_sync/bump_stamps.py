"""`bump_stamp`: where the last event of a room stands that should bring the room to a client's notice."""

from myelin.db.connection import Database
from myelin.services.rooms.room import Room
from myelin.store.sliding_sync import SlidingSyncStore

BUMP_TYPES = (
    "m.room.create",
    "m.room.message",
    "m.room.encrypted",
    "m.sticker",
    "m.call.invite",
    "m.poll.start",
    "org.matrix.msc3381.poll.start",
    "m.beacon_info",
    "org.matrix.msc3672.beacon_info",
)


class BumpStamps:
    """Finds them in memory, and in the database where a room's newest events are all of other types."""

    def __init__(self, database: Database) -> None:
        self._store = SlidingSyncStore(database)

    async def of(self, room: Room, until: int, otherwise: int) -> int:
        """A room's, up to a position; `otherwise` for one whose own history is not here."""
        for event in room.timeline.back(room.timeline.floor, until, len(room.timeline)):
            if event.pdu.type in BUMP_TYPES:
                return event.position if event.position > 0 else otherwise
        held = room.cached.get(("bump stamp", until))
        if not isinstance(held, int):
            held = await self._store.last_of_types(room.room_id, list(BUMP_TYPES), until) or 0
            room.cached["bump stamp", until] = held
        return held if held > 0 else otherwise
