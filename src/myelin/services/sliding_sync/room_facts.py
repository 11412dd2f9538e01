"""What filters ask of rooms: their type, whether they are encrypted, their name. Rooms need not be in memory for it."""

from collections.abc import Iterable, Iterator, Mapping, Set
from contextlib import contextmanager
from typing import Any, NamedTuple

import orjson

from myelin.bus.feed import Feed
from myelin.bus.news import RoomEvents
from myelin.db.connection import Database
from myelin.db.slices import sliced
from myelin.store.sliding_sync import SlidingSyncStore

CREATE = "m.room.create"
ENCRYPTION = "m.room.encryption"
NAME = "m.room.name"
TYPES = (CREATE, ENCRYPTION, NAME)
"""The events that facts are read from: a filter asks for those of some of them only."""
MAX_REMEMBERED = 200_000
"""Rooms of which one kind of fact is remembered, some 100 bytes each; where there are more, all are forgotten."""


class Facts(NamedTuple):
    """A room's, as far as they were asked for."""

    room_type: str | None = None
    is_encrypted: bool = False
    name: str = ""


UNKNOWN = Facts()
"""Of a room of which nothing is said, or of which this server knows nothing but an invite."""


class RoomFacts:
    """Facts by room, forgotten when they change."""

    def __init__(self, database: Database, feed: Feed) -> None:
        self._store = SlidingSyncStore(database)
        self._known: dict[str, set[str]] = {kind: set() for kind in TYPES}
        """The rooms of which it is known what a kind of event says, if anything."""
        self._said: dict[str, dict[str, str]] = {kind: {} for kind in TYPES}
        """What it says."""
        self._reading: list[set[str]] = []
        """For each reading under way, the rooms that changed meanwhile."""
        feed.subscribe(RoomEvents, self._hear)

    async def of_all(self, room_ids: Iterable[str], kinds: Set[str]) -> dict[str, Facts]:
        """What some kinds of events say, of those of the rooms of which they say something."""
        chosen = set(room_ids)
        said = {kind: await self._of_kind(kind, chosen) for kind in kinds}
        created, encrypted, named = (said.get(kind, {}) for kind in TYPES)
        return {
            room_id: Facts(created.get(room_id), room_id in encrypted, named.get(room_id, ""))
            for room_id in created.keys() | encrypted.keys() | named.keys()
        }

    @contextmanager
    def reading(self) -> Iterator[set[str]]:
        """A time in which facts are read; it gives the rooms that change in it."""
        changed = set[str]()
        self._reading.append(changed)
        try:
            yield changed
        finally:
            self._reading.remove(changed)

    def learn(self, kind: str, room_ids: Iterable[str], said: Mapping[str, str], changed: Set[str]) -> None:
        """Remember what was read of some rooms, but for those that changed meanwhile."""
        known = self._known[kind]
        if len(known) > MAX_REMEMBERED:
            known.clear()
            self._said[kind].clear()
        known.update(room_ids)
        self._said[kind].update(said)
        for room_id in changed:
            self._forget(room_id)

    async def _of_kind(self, kind: str, room_ids: Set[str]) -> dict[str, str]:
        """What a kind of event says, of those rooms of which it says something."""
        lacking = room_ids - self._known[kind]
        read: dict[str, str] = {}
        if lacking:
            with self.reading() as changed:
                async for some in sliced(list(lacking)):
                    read.update(await self._read(kind, list(some)))
                self.learn(kind, lacking, read, changed)
        said = self._said[kind]
        return read | {room_id: said[room_id] for room_id in room_ids & said.keys()}

    async def _read(self, kind: str, room_ids: list[str]) -> Iterable[tuple[str, str]]:
        if kind == CREATE:
            return await self._store.typed(room_ids)
        if kind == ENCRYPTION:
            return [(room_id, kind) for room_id in await self._store.rooms_with(room_ids, kind)]
        return [(room_id, _name(data)) for room_id, data in await self._store.current(room_ids, [kind])]

    def _hear(self, _position: int, news: RoomEvents) -> None:
        if (
            news.is_gap
            or any(key[0] in TYPES for key, _ in news.state)
            or any(pdu.redacts is not None for pdu in news.pdus)
        ):
            self._forget(news.room_id)
            for changed in self._reading:
                changed.add(news.room_id)

    def _forget(self, room_id: str) -> None:
        for kind in TYPES:
            self._known[kind].discard(room_id)
            self._said[kind].pop(room_id, None)


def _name(data: bytes) -> str:
    """The name in an event's content, empty where there is none; content of the wrong shape says nothing."""
    event: Any = orjson.loads(data)
    content = event.get("content")
    value = content.get("name") if isinstance(content, dict) else None
    return value if isinstance(value, str) else ""
