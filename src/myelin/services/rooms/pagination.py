"""Reading a room's history page by page, in either direction (spec: `GET /rooms/{roomId}/messages`)."""

from collections.abc import Sequence
from typing import NamedTuple

from myelin.db.connection import Database
from myelin.matrix.filters import EventFilter
from myelin.services.rooms.client_events import ClientEvents
from myelin.services.rooms.room import Room
from myelin.services.rooms.selection import Selection
from myelin.services.rooms.timeline import BEGINNING, TimelineEvent
from myelin.services.rooms.viewpoint import Viewpoint
from myelin.store.events import EventStore
from myelin.store.state import OPEN

MAX_SCANNED = 1_000
"""Events looked through for one page. With a filter that wants few of them, the page may be short or empty."""
_SCAN_FACTOR = 4


class Page(NamedTuple):
    """Events in the direction of reading, and where to read on; None where there is nothing more."""

    events: list[TimelineEvent]
    end: int | None


class Span(NamedTuple):
    """From where to where to read: between an event at the position and the next one. `start` may be after `stop`."""

    start: int
    stop: int
    is_back: bool

    @classmethod
    def back(cls, start: int, stop: int = BEGINNING) -> "Span":
        """Towards the beginning."""
        return cls(start, stop, True)

    @classmethod
    def forward(cls, start: int, stop: int = OPEN) -> "Span":
        """Towards the end."""
        return cls(start, stop, False)


class Pagination:
    """Reads pages from memory as far as that reaches, then from the database."""

    def __init__(self, database: Database, client_events: ClientEvents, selection: Selection) -> None:
        self._events = EventStore(database)
        self._client_events = client_events
        self._selection = selection

    async def page(self, view: Viewpoint, span: Span, limit: int, wanted: EventFilter) -> Page:
        """At most `limit` events that the reader may see and the filter wants."""
        at, stop = _clip(view, span)
        found: list[TimelineEvent] = []
        scanned = 0
        while scanned < MAX_SCANNED:
            size = _batch(limit - len(found), wanted)
            events = await self._read(view.room, at, stop, size, is_back=span.is_back)
            for event in await self._selection.of(view, events, wanted):
                if len(found) == limit:
                    return Page(found, event.position if span.is_back else event.position - 1)
                found.append(event)
            if len(events) < size:
                return Page(found, None)
            at = events[-1].position - 1 if span.is_back else events[-1].position
            scanned += len(events)
        return Page(found, at)

    async def _read(self, room: Room, at: int, stop: int, size: int, *, is_back: bool) -> Sequence[TimelineEvent]:
        """The next `size` events on the way, fewer only where the way ends."""
        if is_back:
            return await self._read_back(room, at, stop, size)
        if at >= room.timeline.floor:
            return [event for event in room.timeline.since(at) if event.position <= stop][:size]
        rows = await self._events.oldest(room.room_id, at, stop + 1, size)
        return await self._client_events.of_rows(room, rows)

    async def _read_back(self, room: Room, at: int, stop: int, size: int) -> list[TimelineEvent]:
        held = room.timeline.back(stop, at, size)
        floor = room.timeline.floor
        if len(held) == size or floor <= stop:
            return held
        rows = await self._events.newest(room.room_id, stop, min(at, floor) + 1, size - len(held))
        return held + await self._client_events.of_rows(room, rows)


def _clip(view: Viewpoint, span: Span) -> tuple[int, int]:
    """Leave out what lies before or after everything that the reader may see: there may be very much of it."""
    lowest, highest = view.sight.span
    latest = min(highest, view.room.position)
    if span.is_back:
        return min(span.start, latest), max(span.stop, lowest - 1)
    return max(span.start, lowest - 1), min(span.stop, latest)


def _batch(lacking: int, wanted: EventFilter) -> int:
    """One more than lacks, to know whether there is more; with a filter several times as many."""
    return lacking + 1 if wanted.passes_all else min(_SCAN_FACTOR * lacking + 10, MAX_SCANNED)
