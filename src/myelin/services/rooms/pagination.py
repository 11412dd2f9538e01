"""Reading a room's history page by page, in either direction (spec: `GET /rooms/{roomId}/messages`)."""

from collections.abc import Iterator, Sequence
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
        found: list[TimelineEvent] = []
        scanned = 0
        for at, stop in _legs(view, span):
            while True:
                size = _batch(limit - len(found), wanted)
                events = await self._read(view.room, at, stop, size, is_back=span.is_back)
                for event in await self._selection.of(view, events, wanted):
                    if len(found) == limit:
                        return Page(found, event.position if span.is_back else event.position - 1)
                    found.append(event)
                if len(events) < size:
                    at = stop
                    break
                at = events[-1].position - 1 if span.is_back else events[-1].position
                scanned += size
                if scanned >= MAX_SCANNED:
                    return Page(found, at)
            scanned += 1
            if scanned >= MAX_SCANNED:
                return Page(found, at)
        return Page(found, None)

    async def _read(self, room: Room, at: int, stop: int, size: int, *, is_back: bool) -> Sequence[TimelineEvent]:
        """The next `size` events on the way, fewer only where the way ends."""
        if is_back:
            return await self._read_back(room, at, stop, size)
        if at >= room.timeline.floor:
            return [event for event in room.timeline.since(at) if event.position <= stop][:size]
        return await self._load(room, await self._events.oldest_ids(room.room_id, at, stop + 1, size))

    async def _read_back(self, room: Room, at: int, stop: int, size: int) -> list[TimelineEvent]:
        held = room.timeline.back(stop, at, size)
        floor = room.timeline.floor
        if len(held) == size or floor <= stop:
            return held
        older = await self._events.newest_ids(room.room_id, stop, min(at, floor) + 1, size - len(held))
        return held + await self._load(room, older)

    async def _load(self, room: Room, event_ids: Sequence[str]) -> list[TimelineEvent]:
        found = await self._client_events.by_id(room, event_ids)
        return [found[event_id] for event_id in event_ids if event_id in found]


def _legs(view: Viewpoint, span: Span) -> Iterator[tuple[int, int]]:
    """The parts of the way where the reader may see anything: what lies between them may be very much."""
    low, high = (span.stop, span.start) if span.is_back else (span.start, span.stop)
    high = min(high, view.room.position)
    stretches = view.sight.stretches
    for first, last in reversed(stretches) if span.is_back else stretches:
        bottom, top = max(low, first - 1), min(high, last)
        if bottom < top:
            yield (top, bottom) if span.is_back else (bottom, top)


def _batch(lacking: int, wanted: EventFilter) -> int:
    """One more than lacks, to know whether there is more; with a filter several times as many."""
    return lacking + 1 if wanted.passes_all else min(_SCAN_FACTOR * lacking + 10, MAX_SCANNED)
