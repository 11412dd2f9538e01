"""The rooms this process has in memory, kept up to date by the feed."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager

import orjson

from myelin.bus.feed import Feed
from myelin.bus.news import RoomEvents
from myelin.db.connection import Database
from myelin.matrix.errors import NotFound
from myelin.matrix.events.pdu import Pdu, StateKey
from myelin.matrix.identifiers import is_room_id
from myelin.matrix.room_versions import RoomVersion
from myelin.services.rooms.loading import UNREADABLE, RoomLoading
from myelin.services.rooms.room import Room
from myelin.services.rooms.rows import to_pdu
from myelin.services.rooms.tip import Tip
from myelin.store.events import EventStore
from myelin.store.rooms import RoomStore, StoredRoom

MAX_AT_ONCE = 100
"""Rooms that are read together."""
LOADS_BETWEEN_WEIGHINGS = 16


class Rooms:
    """Rooms by ID, the least recently used dropped when memory runs short."""

    def __init__(self, database: Database, feed: Feed, *, budget_bytes: int) -> None:
        self._events = EventStore(database)
        self._rooms = RoomStore(database)
        self._loading = RoomLoading(database)
        self._feed = feed
        self._budget = budget_bytes
        self._held: OrderedDict[str, Room] = OrderedDict()
        self._tasks: dict[str, asyncio.Task[Room | None]] = {}
        self._loaded = 0
        self._told: dict[str, int] = {}
        """For each room being read, the last position that was told of it meanwhile."""
        self._alone: dict[str, asyncio.Future[None]] = {}
        """Rooms that one writer has to itself, each with what is done when it has ended."""
        self._batches: list[dict[str, int]] = []
        """The same for rooms that are read together."""
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
        task = self._tasks.get(room_id)
        if task is None:
            if not is_room_id(room_id):
                return None
            task = self._tasks[room_id] = asyncio.get_running_loop().create_task(self._load(room_id))
        return await asyncio.shield(task)

    async def hold(self, room_ids: Iterable[str]) -> None:
        """Have many rooms in memory, as far as they are known here and can be read, by a few queries for all."""
        lacking = [room_id for room_id in room_ids if room_id not in self._held and room_id not in self._tasks]
        for start in range(0, len(lacking), MAX_AT_ONCE):
            try:
                await self._load_all(lacking[start : start + MAX_AT_ONCE])
            except UNREADABLE:
                # Whoever asks for them one by one will see which one it is.
                continue

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
            if room_id in self._alone:
                await asyncio.wait([self._alone[room_id]])
                continue
            tip = await self._read_tip(room)
            if tip is not None and room_id not in self._alone and (room.tip is None or room.tip.dead):
                room.tip = tip

    async def _read_tip(self, room: Room) -> Tip | None:
        """Where to hang the next event; None where the view is not of the last commit, though it may be now."""
        row = await self._rooms.room(room.room_id)
        if row is None:
            raise NotFound("There is no such room here")
        if row.version > room.position:
            # Another process wrote: take in what it wrote first.
            await self.catch_up(row.version)
            if row.version > room.position and self._held.get(room.room_id) is room:
                # What was written was not told: the view is read again rather than waited for in vain.
                self.drop(room.room_id)
            return None
        return _tip_of(row) if row.version == room.position and not room.dropped else None

    @asynccontextmanager
    async def alone(self, room_id: str) -> AsyncIterator[Callable[[], Awaitable[tuple[Room, Tip]]]]:
        """Keep this process's other writers out of a room; what they have built is committed before the block begins.

        The block gets a function that gives the room and a tip of its own, as of the last commit. Raises NotFound.
        """
        while room_id in self._alone:
            await asyncio.wait([self._alone[room_id]])
        gate = self._alone[room_id] = asyncio.get_running_loop().create_future()
        try:
            held = self._held.get(room_id)
            if held is not None and held.tip is not None:
                tip, held.tip = held.tip, None
                await tip.settled()
            yield lambda: self._open_alone(room_id)
        finally:
            del self._alone[room_id]
            gate.set_result(None)

    async def _open_alone(self, room_id: str) -> tuple[Room, Tip]:
        while True:
            room = await self.get(room_id)
            tip = await self._read_tip(room)
            if tip is not None:
                return room, tip

    async def catch_up(self, position: int) -> None:
        """Take in all that was written up to a position of the log."""
        self._feed.seen(position)
        await self._feed.caught_up()

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
                room = await self._loading.read(row)
                await self._catch_up(room.position)
                if self._told[room_id] <= room.position <= self._feed.position:
                    self._held[room_id] = room
                    self._make_room()
                    return room
        finally:
            self._tasks.pop(room_id, None)
            self._told.pop(room_id, None)

    async def _load_all(self, room_ids: list[str]) -> None:
        """Read rooms together and hold those that are whole; of what goes wrong with one the others know nothing."""
        told = dict.fromkeys(room_ids, 0)
        self._batches.append(told)
        try:
            rows = await self._rooms.rooms(room_ids)
            rooms = await self._loading.read_all(rows) if rows else []
            await self._catch_up(max((room.position for room in rooms), default=0))
            for room in rooms:
                if told[room.room_id] <= room.position <= self._feed.position and room.room_id not in self._held:
                    self._held[room.room_id] = room
                    self._make_room()
        finally:
            self._batches.remove(told)

    async def _catch_up(self, position: int) -> None:
        if position > self._feed.position:
            self._feed.seen(position)
            await self._feed.caught_up()

    def _hear(self, position: int, news: RoomEvents) -> None:
        room = self._held.get(news.room_id)
        if room is None:
            for told in self._batches:
                if news.room_id in told:
                    told[news.room_id] = news.last(position)
            if news.room_id in self._told:
                self._told[news.room_id] = news.last(position)
            return
        try:
            room.apply(position, news)
        except Exception:
            # Half of it may be taken in: the room is read again rather than told wrongly, or not at all any more.
            self.drop(news.room_id)
            raise
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
