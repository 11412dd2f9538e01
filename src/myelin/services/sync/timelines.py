"""The newest events of a room after a position, from memory where it reaches, else from the database."""

from collections.abc import Callable
from typing import NamedTuple

from myelin.matrix.filters import EventFilter
from myelin.services.rooms.client_events import ClientEvents
from myelin.services.rooms.room import Room
from myelin.services.rooms.timeline import TimelineEvent
from myelin.services.rooms.visibility import Visibility
from myelin.store.events import EventStore

MAX_SCANNED = 1_000
"""Events looked through for those that a filter lets pass, before the answer is called limited."""


class Stretch(NamedTuple):
    """Events oldest first; `limited` says that there are more before them."""

    events: list[TimelineEvent]
    limited: bool
    start: int
    """The position right before the first event: where reading back goes on."""


class Timelines:
    """Reads stretches of rooms' timelines for one reader."""

    def __init__(self, events: EventStore, client_events: ClientEvents, visibility: Visibility) -> None:
        self._events = events
        self._client_events = client_events
        self._visibility = visibility

    async def read(self, room: Room, reader: str, after: int, until: int, limit: int, wanted: EventFilter) -> Stretch:
        """At most `limit` events after one position, up to another, that the filter wants and the reader may see."""
        if wanted.passes_none or limit == 0:
            return Stretch([], room.position > after, until)
        if wanted.passes_all:
            held = room.timeline.newest(after, until, limit)
            if held is not None:
                events, limited = held
                visible = await self._visibility.visible(room, reader, events)
                return Stretch(visible, limited, _start(visible, events, after, limited))
        return await self._scan(room, reader, after, until, limit, wanted)

    async def _scan(self, room: Room, reader: str, after: int, until: int, limit: int, wanted: EventFilter) -> Stretch:
        matches = _matcher(wanted)
        found: list[TimelineEvent] = []
        before, scanned = until + 1, 0
        while scanned < MAX_SCANNED:
            size = min(MAX_SCANNED - scanned, limit + 1 if wanted.passes_all else 4 * limit + 10)
            rows = await self._events.newest(room.room_id, after, before, size)
            page = await self._client_events.of_rows(room, rows)
            scanned += len(rows)
            seen = {e.pdu.event_id for e in await self._visibility.visible(room, reader, page)}
            for event in page:
                if event.pdu.event_id in seen and matches(event):
                    if len(found) == limit:
                        return Stretch(found[::-1], True, found[-1].position - 1)
                    found.append(event)
                before = event.position
            if len(rows) < size:
                return Stretch(found[::-1], False, after)
        return Stretch(found[::-1], True, before - 1)


def _start(visible: list[TimelineEvent], events: list[TimelineEvent], after: int, limited: bool) -> int:
    if visible:
        return visible[0].position - 1
    return events[0].position - 1 if events and limited else after


def _matcher(wanted: EventFilter) -> Callable[[TimelineEvent], bool]:
    if wanted.passes_all:
        return lambda _: True

    def matches(event: TimelineEvent) -> bool:
        pdu = event.pdu
        return wanted.matches(pdu.type, pdu.sender, pdu.room_id, has_url=isinstance(pdu.content.get("url"), str))

    return matches
