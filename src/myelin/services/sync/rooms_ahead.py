"""What a sync answer needs of its rooms, read for many at once: a first sync asks once, not once a room."""

from collections import defaultdict
from collections.abc import Collection, Sequence

import structlog

from myelin.services.receipts.receipts import Receipts
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.loading import UNREADABLE
from myelin.services.rooms.room import MEMBER, Room
from myelin.services.rooms.visibility import Visibility
from myelin.services.sync.summaries import Summaries

_log = structlog.get_logger("myelin.sync")

FEW = 3
"""Up to so many rooms are not worth the preparations."""


class RoomsAhead:
    """Has rooms in memory, and with many of them what their sections will ask for."""

    def __init__(self, rooms: Rooms, receipts: Receipts, visibility: Visibility, summaries: Summaries) -> None:
        self._rooms = rooms
        self._receipts = receipts
        self._visibility = visibility
        self._summaries = summaries

    async def rooms(self, room_ids: Collection[str], user_id: str) -> list[Room]:
        """Those of the rooms that are known here and can be read."""
        found = [room for room_id in room_ids if (room := self._rooms.peek(room_id)) is not None]
        if len(found) < len(room_ids):
            found = await self._read(room_ids)
        if len(found) > FEW:
            try:
                await self._prepare(found, user_id)
            except UNREADABLE as error:
                # Each room asks for itself then, and it will be seen which one it is.
                _log.error("rooms could not be prepared together", exc_info=error)
        return found

    async def _read(self, room_ids: Collection[str]) -> list[Room]:
        if len(room_ids) > FEW:
            await self._rooms.hold(room_ids)
        found = []
        for room_id in room_ids:
            try:
                room = await self._rooms.find(room_id)
            except UNREADABLE as error:
                _log.error("a room is left out of an answer, since it cannot be read", room_id=room_id, exc_info=error)
                continue
            if room is not None:
                found.append(room)
        return found

    async def _prepare(self, rooms: Sequence[Room], user_id: str) -> None:
        room_ids = [room.room_id for room in rooms]
        await self._receipts.of_rooms(room_ids)
        await self._visibility.prepare(room_ids)
        await self._summaries.prepare(rooms)
        await self._hold_member(rooms, user_id)

    async def _hold_member(self, rooms: Sequence[Room], user_id: str) -> None:
        """Have the user's own membership events at hand."""
        lacking: dict[str, dict[str, Room]] = defaultdict(dict)
        for room in rooms:
            for event_id in room.lacking([(MEMBER, user_id)]):
                lacking[room.version.identifier][event_id] = room
        for by_event in lacking.values():
            version = next(iter(by_event.values())).version
            for event_id, pdu in (await self._rooms.load(by_event, version)).items():
                if by_event[event_id].state.get(pdu.key) == event_id:
                    by_event[event_id].pdus[event_id] = pdu
