"""The event closest to a moment (spec: `GET /rooms/{roomId}/timestamp_to_event`)."""

from myelin.db.connection import Database
from myelin.matrix.errors import NotFound
from myelin.services.rooms.client_events import ClientEvents
from myelin.services.rooms.timeline import TimelineEvent
from myelin.services.rooms.viewpoint import Viewpoint
from myelin.store.events import EventStore

CANDIDATES = 5
"""Events looked at in each stretch that the reader may see: a few at its ends may be hidden all the same."""
MAX_STRETCHES = 20
"""Of who came and went more often only the last stays are searched."""


class EventsByTime:
    """Finds events by `origin_server_ts`."""

    def __init__(self, database: Database, client_events: ClientEvents) -> None:
        self._events = EventStore(database)
        self._client_events = client_events

    async def closest(self, view: Viewpoint, ts: int, *, is_back: bool) -> TimelineEvent:
        """The closest event at a time, in milliseconds, or after it, with `is_back` before it. Raises NotFound."""
        room, sight = view.room, view.sight
        find = self._events.last_before_ts if is_back else self._events.first_after_ts
        found: list[TimelineEvent] = []
        for first, last in sight.stretches[-MAX_STRETCHES:]:
            until = min(last, room.position)
            rows = await find(room.room_id, ts, first - 1, until + 1, 1 if sight.sees_all else CANDIDATES)
            found += sight.visible(await self._client_events.of_rows(room, rows))
        if not found:
            raise NotFound(f"There is no event {'before' if is_back else 'after'} {ts}")
        return min(found, key=lambda event: abs(event.pdu.origin_server_ts - ts))
