"""The event closest to a moment (spec: `GET /rooms/{roomId}/timestamp_to_event`)."""

from myelin.db.connection import Database
from myelin.matrix.errors import NotFound
from myelin.services.rooms.client_events import ClientEvents
from myelin.services.rooms.timeline import TimelineEvent
from myelin.services.rooms.viewpoint import Viewpoint
from myelin.store.events import EventStore

CANDIDATES = 50
"""Events looked at, the closest first, for one that the reader may see."""


class EventsByTime:
    """Finds events by `origin_server_ts`."""

    def __init__(self, database: Database, client_events: ClientEvents) -> None:
        self._events = EventStore(database)
        self._client_events = client_events

    async def closest(self, view: Viewpoint, ts: int, *, is_back: bool) -> TimelineEvent:
        """The closest event at a time, in milliseconds, or after it, with `is_back` before it. Raises NotFound."""
        lowest, highest = view.sight.span
        find = self._events.last_before_ts if is_back else self._events.first_after_ts
        until = min(highest, view.room.position)
        rows = await find(view.room.room_id, ts, lowest - 1, until + 1, CANDIDATES)
        if view.sight.sees_all:
            rows = rows[:1]
        for event in await self._client_events.of_rows(view.room, rows):
            if view.sight.may_see(event):
                return event
        raise NotFound(f"There is no event {'before' if is_back else 'after'} {ts}")
