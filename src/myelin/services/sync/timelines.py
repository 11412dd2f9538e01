"""The newest events of a room after a position, from memory where it reaches, else from the database."""

from collections.abc import Iterable
from typing import NamedTuple

from myelin.matrix.filters import EventFilter
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.client_events import ClientEvents
from myelin.services.rooms.room import Room
from myelin.services.rooms.selection import Selection
from myelin.services.rooms.timeline import KEPT, TimelineEvent
from myelin.services.rooms.viewpoint import Viewpoint
from myelin.services.rooms.visibility import Visibility
from myelin.store.events import EventStore

MAX_SCANNED = 1_000
"""Events looked through for those that a filter lets pass, before the answer is called limited."""
_SCAN_FACTOR = 4


class Stretch(NamedTuple):
    """Events oldest first."""

    events: list[TimelineEvent]
    limited: bool
    """There are more before them."""
    start: int
    """The position right before the first event: where reading back goes on."""
    hides_state: bool = False
    """Between `start` and the end there are state events that the reader does not get to see here."""


class Window(NamedTuple):
    """What of a timeline is asked for."""

    after: int
    until: int
    limit: int
    wanted: EventFilter
    ignored: frozenset[str] = frozenset()
    """Users whose messages are left out."""


class Timelines:
    """Reads stretches of rooms' timelines for one reader."""

    def __init__(
        self,
        events: EventStore,
        rooms: Rooms,
        client_events: ClientEvents,
        visibility: Visibility,
        selection: Selection,
    ) -> None:
        self._events = events
        self._rooms = rooms
        self._client_events = client_events
        self._visibility = visibility
        self._selection = selection

    async def read(self, room: Room, user_id: str, window: Window) -> Stretch:
        """At most `limit` events that the filter wants and the user may see, the newest ones of the window.

        What stands before the floor of the room does not lead up to what comes after it: there the timeline is cut.
        """
        if window.after < room.floor - 1 and window.until >= room.floor:
            found = await self._read(room, user_id, window._replace(after=room.floor - 1))
            return found._replace(limited=True)
        return await self._read(room, user_id, window)

    async def _read(self, room: Room, user_id: str, window: Window) -> Stretch:
        after, until, limit, wanted, ignored = window
        if wanted.passes_none or limit == 0:
            happened = min(room.position, until) > after
            return Stretch([], happened and not wanted.passes_none, until if happened else after)
        held = room.timeline.newest(after, until, limit if wanted.passes_all else KEPT)
        if held is None or (held[1] and not wanted.passes_all):
            return await self._scan(await self._viewpoint(room, user_id, until), window)
        if not wanted.passes_all:
            return await self._filter(await self._viewpoint(room, user_id, until), window, held[0])
        events, limited = held
        shown = events
        if not self._visibility.sees_all(room, user_id):
            shown = await self._visibility.visible(room, user_id, events)
        if ignored:
            shown = [e for e in shown if e.pdu.state_key is not None or e.pdu.sender not in ignored]
        start = (shown or events)[0].position - 1 if limited else after
        hides = len(shown) < len(events) and _hides_state(events, shown, start)
        return Stretch(await self._complete(room, shown), limited, start, hides)

    async def _viewpoint(self, room: Room, user_id: str, until: int) -> Viewpoint:
        return Viewpoint(room, user_id, None, await self._visibility.sight(room, user_id), until)

    async def _filter(self, view: Viewpoint, window: Window, events: list[TimelineEvent]) -> Stretch:
        """Choose from all events of the window."""
        found = await self._selection.of(view, events, window.wanted)
        limited = len(found) > window.limit
        found = found[-window.limit :]
        start = found[0].position - 1 if limited else window.after
        return Stretch(await self._complete(view.room, found), limited, start, _hides_state(events, found, start))

    async def _scan(self, view: Viewpoint, window: Window) -> Stretch:
        """Read back page by page until enough is found."""
        after, until, limit, wanted, _ = window
        room = view.room
        found: list[TimelineEvent] = []
        read: list[TimelineEvent] = []
        while len(read) < MAX_SCANNED:
            before = read[-1].position if read else until + 1
            size = limit + 1 if wanted.passes_all else min(MAX_SCANNED - len(read), _SCAN_FACTOR * limit + 10)
            page = await self._client_events.of_rows(room, await self._events.newest(room.room_id, after, before, size))
            read += page
            for event in await self._selection.of(view, page, wanted):
                if len(found) == limit:
                    return _newest(found, read, limited=True, start=found[-1].position - 1)
                found.append(event)
            if len(page) < size:
                return _newest(found, read, limited=False, start=after)
        return _newest(found, read, limited=True, start=read[-1].position - 1)

    async def _complete(self, room: Room, events: list[TimelineEvent]) -> list[TimelineEvent]:
        """Have at hand what state events replaced: a process that heard of them from another one may lack it."""
        if any(e.replaced_id is not None and e.replaces is None for e in events):
            lacking = {e.replaced_id: e for e in events if e.replaced_id is not None and e.replaces is None}
            for event_id, pdu in (await self._rooms.load(lacking, room.version)).items():
                lacking[event_id].set_replaced(pdu)
        return events


def _newest(found: list[TimelineEvent], read: list[TimelineEvent], *, limited: bool, start: int) -> Stretch:
    found.reverse()
    return Stretch(found, limited, start, _hides_state(read, found, start))


def _hides_state(events: Iterable[TimelineEvent], shown: Iterable[TimelineEvent], start: int) -> bool:
    told = {e.pdu.event_id for e in shown}
    return any(e.pdu.state_key is not None and e.position > start and e.pdu.event_id not in told for e in events)
