"""Events of rooms as clients see them, from rows or by ID, the most recently used ones kept in memory."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence

from myelin.bus.feed import Feed
from myelin.bus.news import RoomEvents
from myelin.db.connection import Database
from myelin.matrix.events.pdu import Pdu
from myelin.services.rooms.decoration import Decoration
from myelin.services.rooms.room import Room
from myelin.services.rooms.rows import relation_in
from myelin.services.rooms.timeline import TimelineEvent
from myelin.store.events import IN_TIMELINE, REJECTED, EventStore, StoredEvent
from myelin.store.relations import BUNDLED

_EVENT_BYTES = 3_000
"""What an event weighs in memory beside its JSON, about."""
_WEIGHT_OF_JSON = 3
"""Its content is held as text and as objects."""
_REDACTED_KEPT = 4_096
"""The last redacted events are remembered, so that no row that was read before its redaction is kept."""


class ClientEvents:
    """Decorated events: those of a room's newest from its timeline, others from a cache or the database."""

    def __init__(self, database: Database, feed: Feed, *, budget_bytes: int) -> None:
        self._events = EventStore(database)
        self._decoration = Decoration(database)
        self._budget = budget_bytes
        self._held: OrderedDict[str, TimelineEvent] = OrderedDict()
        self._weight = 0
        self._told_by: dict[str, str] = {}
        """For events whose redaction changes what is held of another, such as its last edit: that other event."""
        self._changes = 0
        self._redacted: OrderedDict[str, None] = OrderedDict()
        feed.subscribe(RoomEvents, self._hear)

    def recall(self, room: Room, event_id: str) -> TimelineEvent | None:
        """An event of the room if it is in memory."""
        event = room.timeline.get(event_id)
        if event is not None:
            return event
        event = self._held.get(event_id)
        if event is None or event.pdu.room_id != room.room_id:
            return None
        self._held.move_to_end(event_id)
        return event

    async def of_rows(self, room: Room, rows: Sequence[StoredEvent]) -> list[TimelineEvent]:
        """The events of rows of the room's timeline, in their order."""
        recalled = [self.recall(room, row.event_id) for row in rows]
        lacking = [row for row, event in zip(rows, recalled, strict=True) if event is None]
        if not lacking:
            return [event for event in recalled if event is not None]
        made = {event.pdu.event_id: event for event in await self._make(room, lacking)}
        return [event or made[row.event_id] for row, event in zip(rows, recalled, strict=True)]

    async def by_id(self, room: Room, event_ids: Iterable[str]) -> dict[str, TimelineEvent]:
        """Those of the events that are in the room's timeline."""
        found: dict[str, TimelineEvent] = {}
        lacking: list[str] = []
        held, room_id = self._held, room.room_id
        for event_id in event_ids:
            event = held.get(event_id)
            if event is not None and event.pdu.room_id == room_id:
                held.move_to_end(event_id)
                found[event_id] = event
            elif (event := room.timeline.get(event_id)) is not None:
                found[event_id] = event
            else:
                lacking.append(event_id)
        if lacking:
            rows = [r for r in await self._events.events(lacking) if _is_shown(r, room)]
            for event in await self._make(room, rows):
                found[event.pdu.event_id] = event
        return found

    async def state(self, room: Room, event_ids: Iterable[str]) -> dict[str, TimelineEvent]:
        """Those of the room's state events that are here, also such as came to the room by its state alone."""
        wanted = list(event_ids)
        found = {e: event for e in wanted if (event := self.recall(room, e)) is not None}
        lacking = [event_id for event_id in wanted if event_id not in found]
        if lacking:
            rows = await self._events.events(lacking)
            rows = [r for r in rows if r.room_id == room.room_id and not r.flags & REJECTED]
            for event in await self._decoration.state_events(rows, room.version):
                found[event.pdu.event_id] = event
        return found

    async def _make(self, room: Room, rows: Sequence[StoredEvent]) -> list[TimelineEvent]:
        if not rows:
            return []
        changes = self._changes
        events = await self._decoration.events(rows, room.version)
        if changes == self._changes:
            # Else something was redacted or related meanwhile: what was read is good for this answer only.
            for row, event in zip(rows, events, strict=True):
                if row.redacted_by is not None or row.event_id not in self._redacted:
                    self._hold(event)
        return events

    def _hold(self, event: TimelineEvent) -> None:
        event_id = event.pdu.event_id
        self._forget(event_id)
        self._held[event_id] = event
        self._weight += _weight(event)
        for other in _told_of(event):
            self._told_by[other] = event_id
        while self._weight > self._budget and self._held:
            self._forget(next(iter(self._held)))

    def _forget(self, event_id: str) -> None:
        event = self._held.pop(event_id, None)
        if event is None:
            return
        self._weight -= _weight(event)
        for other in _told_of(event):
            if self._told_by.get(other) == event_id:
                del self._told_by[other]

    def _hear(self, position: int, news: RoomEvents) -> None:
        for offset, pdu in enumerate(news.pdus):
            if pdu.redacts is not None:
                self._redact(pdu.redacts)
            if "m.relates_to" in pdu.content:
                self._relate(pdu, position + offset)

    def _redact(self, event_id: str) -> None:
        self._changes += 1
        self._redacted[event_id] = None
        if len(self._redacted) > _REDACTED_KEPT:
            self._redacted.popitem(last=False)
        self._forget(event_id)
        self._forget(self._told_by.get(event_id, ""))

    def _relate(self, pdu: Pdu, position: int) -> None:
        relation = relation_in(pdu, position)
        if relation is None or relation.rel_type not in BUNDLED:
            return
        self._changes += 1
        parent = self._held.get(relation.relates_to)
        if parent is not None and parent.pdu.room_id == pdu.room_id:
            parent.add_child(relation)
            self._told_by[pdu.event_id] = relation.relates_to


def _is_shown(row: StoredEvent, room: Room) -> bool:
    return row.room_id == room.room_id and row.flags == IN_TIMELINE


def _weight(event: TimelineEvent) -> int:
    return _EVENT_BYTES + _WEIGHT_OF_JSON * (len(event.stem) + len(event.extra))


def _told_of(event: TimelineEvent) -> list[str]:
    told = [child.event_id for child in event.children]
    if event.replaces is not None:
        told.append(event.replaces.event_id)
    return told
