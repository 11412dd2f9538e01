"""The rooms this process has in memory, kept up to date by the feed."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Mapping

import orjson

from myelin.bus.feed import Feed
from myelin.bus.news import RoomEvents
from myelin.db.connection import Database
from myelin.matrix.errors import NotFound
from myelin.matrix.events.pdu import Pdu, StateKey
from myelin.matrix.identifiers import is_room_id
from myelin.matrix.room_versions import ROOM_VERSIONS, RoomVersion
from myelin.services.rooms.decoration import Decoration
from myelin.services.rooms.room import MEMBER, Room
from myelin.services.rooms.rows import to_pdu
from myelin.services.rooms.timeline import BEGINNING, KEPT, Timeline
from myelin.services.rooms.tip import Tip
from myelin.store.events import EventStore, StoredEvent
from myelin.store.rooms import RoomStore, StoredRoom
from myelin.store.state import StateStore

LOADED_TIMELINE = 21
"""Events read with a room: what a first sync shows, and one that tells whether there are more."""

LOADS_BETWEEN_WEIGHINGS = 16


class Rooms:
    """Rooms by ID, the least recently used dropped when memory runs short."""

    def __init__(self, database: Database, feed: Feed, *, budget_bytes: int) -> None:
        self._events = EventStore(database)
        self._rooms = RoomStore(database)
        self._state = StateStore(database)
        self._decoration = Decoration(database)
        self._feed = feed
        self._budget = budget_bytes
        self._held: OrderedDict[str, Room] = OrderedDict()
        self._loading: dict[str, asyncio.Task[Room | None]] = {}
        self._loaded = 0
        self._told: dict[str, int] = {}
        """For each room being read, the last position that was told of it meanwhile."""
        feed.subscribe(RoomEvents, self._hear)

    def peek(self, room_id: str) -> Room | None:
        """A room if it is in memory."""
        return self._held.get(room_id)

    async def find(self, room_id: str) -> Room | None:
        """A room, or None if it is not known here."""
        room = self._held.get(room_id)
        if room is not None:
            self._held.move_to_end(room_id)
            return room
        task = self._loading.get(room_id)
        if task is None:
            if not is_room_id(room_id):
                return None
            task = self._loading[room_id] = asyncio.get_running_loop().create_task(self._load(room_id))
        return await asyncio.shield(task)

    async def get(self, room_id: str) -> Room:
        """A room. Raises NotFound."""
        room = await self.find(room_id)
        if room is None:
            raise NotFound("There is no such room here")
        return room

    async def open(self, room_id: str) -> tuple[Room, Tip]:
        """A room and where to hang its next event. Raises NotFound."""
        while True:
            room = await self.get(room_id)
            if room.tip is not None and not room.tip.dead:
                return room, room.tip
            row = await self._rooms.room(room_id)
            if row is None:
                raise NotFound("There is no such room here")
            if row.version > room.position:
                # Another process wrote: take in what it wrote first.
                self._feed.seen(row.version)
                await self._feed.caught_up()
            elif row.version < room.position:
                continue
            elif not room.dropped and (room.tip is None or room.tip.dead):
                room.tip = _tip_of(row)

    def adopt(self, room: Room) -> None:
        """Hold a room that was just made here."""
        self._held[room.room_id] = room

    def drop(self, room_id: str) -> None:
        """Forget the view of a room; it is read again when it is needed."""
        room = self._held.pop(room_id, None)
        if room is not None:
            room.dropped = True

    async def hold_state(self, room: Room, keys: Iterable[StateKey]) -> None:
        """Have the current events of some keys in `room.pdus`."""
        lacking = room.lacking(keys)
        if lacking:
            room.pdus.update(await self.load(lacking, room.version))

    async def load(self, event_ids: Iterable[str], version: RoomVersion) -> dict[str, Pdu]:
        """Those of the events that are in the database, by ID."""
        stored = await self._events.events(list(event_ids))
        return {row.event_id: to_pdu(row, version) for row in stored}

    async def _load(self, room_id: str) -> Room | None:
        """Read a room until nothing was told of it meanwhile, and nobody can read in it what is not told yet."""
        try:
            while True:
                self._told[room_id] = 0
                row = await self._rooms.room(room_id)
                if row is None:
                    return None
                room = await self._read(row)
                if room.position > self._feed.position:
                    self._feed.seen(room.position)
                    await self._feed.caught_up()
                if self._told[room_id] <= room.position <= self._feed.position:
                    self._held[room_id] = room
                    self._make_room()
                    return room
        finally:
            self._loading.pop(room_id, None)
            self._told.pop(room_id, None)

    async def _read(self, row: StoredRoom) -> Room:
        version = ROOM_VERSIONS[row.room_version]
        room = Room(row.room_id, version, row.version)
        wanted: list[str] = []
        for entry in await self._state.at(row.room_id, row.version):
            room.state[entry.type, entry.state_key] = entry.event_id
            if entry.type == MEMBER:
                room.set_membership(entry.state_key, entry.membership)
            else:
                wanted.append(entry.event_id)
        room.pdus = await self.load(wanted, version)
        newest = await self._events.newest(row.room_id, BEGINNING, row.version + 1, LOADED_TIMELINE)
        room.timeline = await self._timeline(newest, version)
        return room

    async def _timeline(self, newest: list[StoredEvent], version: RoomVersion) -> Timeline:
        complete = len(newest) < LOADED_TIMELINE
        timeline = Timeline(floor=BEGINNING if complete else newest[-1].position - 1)
        for event in reversed(await self._decoration.events(newest, version)):
            timeline.append(event)
        return timeline

    def _hear(self, position: int, news: RoomEvents) -> None:
        room = self._held.get(news.room_id)
        if room is None:
            if news.room_id in self._told:
                self._told[news.room_id] = position + len(news.pdus) - 1
            return
        room.apply(position, news)
        tip = room.tip
        if tip is not None:
            if room.position > tip.version:
                # Somebody else wrote: what hangs on the old tip will be refused.
                tip.dead = True
            for pdu in news.pdus:
                tip.settle(pdu)
        if room.dropped:
            self._held.pop(news.room_id, None)

    def _make_room(self) -> None:
        """Drop the least recently used rooms until the rest fits; a room with unfinished writes stays."""
        self._loaded += 1
        if self._loaded % LOADS_BETWEEN_WEIGHINGS:
            return
        total = sum(room.weight for room in self._held.values())
        for room_id in list(self._held):
            if total <= self._budget or len(self._held) <= 1:
                break
            room = self._held[room_id]
            if room.tip is not None and room.tip.version != room.position:
                continue
            total -= room.weight
            self.drop(room_id)


assert KEPT >= LOADED_TIMELINE


def _tip_of(row: StoredRoom) -> Tip:
    return Tip(
        row.room_id,
        row.room_version,
        version=row.version,
        extremities=tuple(orjson.loads(row.extremities)),
        depth=row.depth,
    )


def pdus_by_key(room: Room, tip: Tip, keys: Iterable[StateKey]) -> Mapping[StateKey, Pdu]:
    """The events of some keys as the next event will see them; those that are not held are left out."""
    found: dict[StateKey, Pdu] = {}
    for key in keys:
        pdu = tip.overlay.get(key)
        if pdu is None:
            event_id = room.state.get(key)
            pdu = None if event_id is None else room.pdus.get(event_id)
        if pdu is not None:
            found[key] = pdu
    return found
