"""All rooms of a user read back as one log, each room only as far as it is needed."""

from collections.abc import AsyncGenerator, Iterable
from heapq import heapify, heappop, heapreplace

from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.visibility import Visibility
from myelin.store.events import EventStore, StoredEvent
from myelin.store.unread_rooms import ActiveRoom

READ_AT_ONCE = 50


class Backwards:
    """Merges rooms, the newest events first, from when the user came into each."""

    def __init__(self, store: EventStore, rooms: Rooms, visibility: Visibility) -> None:
        self._store = store
        self._rooms = rooms
        self._visibility = visibility

    async def read(
        self, user_id: str, rooms: Iterable[ActiveRoom], before: int | None
    ) -> AsyncGenerator[StoredEvent, None]:
        """The events before a position, None for all."""
        # By the position up to which nothing of the room was given yet: the one on top holds the newest event, or none.
        heap = [(-(r.version if before is None else min(r.version, before - 1)), r.room_id) for r in rooms]
        heapify(heap)
        pages: dict[str, list[StoredEvent]] = {}
        while heap:
            newest, room_id = -heap[0][0], heap[0][1]
            page = pages.get(room_id)
            if page is None:
                page = pages[room_id] = await self._page(user_id, room_id, newest)
                if page:
                    heapreplace(heap, (-page[-1].position, room_id))
                else:
                    heappop(heap)
                continue
            event = page.pop()
            yield event
            if page:
                heapreplace(heap, (-page[-1].position, room_id))
            else:
                del pages[room_id]
                heapreplace(heap, (1 - event.position, room_id))

    async def _page(self, user_id: str, room_id: str, newest: int) -> list[StoredEvent]:
        """Some events of a room, oldest first."""
        room = await self._rooms.find(room_id)
        if room is None:
            return []
        sight = await self._visibility.sight(room, user_id)
        rows = await self._store.newest(room_id, sight.joined_since - 1, newest + 1, READ_AT_ONCE)
        rows.reverse()
        return rows
