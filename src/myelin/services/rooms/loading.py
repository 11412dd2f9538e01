"""Rooms read from the database: one, or many by a few queries for all of them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import orjson

from myelin.db.connection import Database
from myelin.matrix.errors import CoreError
from myelin.matrix.room_versions import ROOM_VERSIONS
from myelin.services.rooms.decoration import Decoration
from myelin.services.rooms.room import MEMBER, Room
from myelin.services.rooms.rows import to_pdu
from myelin.services.rooms.timeline import BEGINNING, KEPT, Timeline
from myelin.store.events import EventStore, StoredEvent
from myelin.store.partial_rooms import PartialRoomStore
from myelin.store.rooms import StoredRoom
from myelin.store.state import RoomStateRow, StateStore

LOADED_TIMELINE = 21
"""Events read with a room: what a first sync shows, and one that tells whether there are more."""
assert KEPT >= LOADED_TIMELINE

UNREADABLE = (CoreError, LookupError, TypeError, ValueError, AttributeError, AssertionError)
"""What comes of a room whose events make no sense. A database that fails is not among it."""


class RoomLoading:
    """Puts rooms together."""

    def __init__(self, database: Database) -> None:
        self._events = EventStore(database)
        self._state = StateStore(database)
        self._partial = PartialRoomStore(database)
        self._decoration = Decoration(database)

    async def read(self, row: StoredRoom) -> Room:
        """A room as of the version in its row."""
        return (await self.read_all([row]))[0]

    async def read_all(self, rows: Sequence[StoredRoom]) -> list[Room]:
        """Rooms as of the versions in their rows, which were read together."""
        room_ids = [row.room_id for row in rows]
        # None of the rooms changed between its own version and the newest one: they were read at one moment.
        position = max(row.version for row in rows)
        rooms = {row.room_id: Room(row.room_id, ROOM_VERSIONS[row.room_version], row.version) for row in rows}
        for row in rows:
            rooms[row.room_id].floor = row.floor
            rooms[row.room_id].whole_since = row.whole_since
        for partial in await self._partial.among(room_ids):
            rooms[partial.room_id].partial_servers = orjson.loads(partial.servers)
        timelines: dict[str, list[StoredEvent]] = defaultdict(list)
        for event in await self._events.newest_of_rooms(room_ids, position + 1, LOADED_TIMELINE):
            # What stands before the floor is shown page by page, not as what led up to now.
            if event.position >= rooms[event.room_id].floor:
                timelines[event.room_id].append(event)
        await self._add_timelines(rooms.values(), timelines)
        await self._add_state(rooms, await self._state.of_rooms_at(room_ids, position))
        return list(rooms.values())

    async def _add_state(self, rooms: Mapping[str, Room], entries: Iterable[RoomStateRow]) -> None:
        """State events are held whole but for members. Those among the newest events are here already."""
        wanted: list[str] = []
        for entry in entries:
            room = rooms[entry.room_id]
            room.state[entry.type, entry.state_key] = entry.event_id
            shown = room.timeline.get(entry.event_id)
            if entry.type == MEMBER:
                room.set_membership(entry.state_key, entry.membership)
            elif shown is None:
                wanted.append(entry.event_id)
            if shown is not None:
                room.pdus[entry.event_id] = shown.pdu
        for row in await self._events.events(wanted) if wanted else ():
            room = rooms[row.room_id]
            room.pdus[row.event_id] = to_pdu(row, room.version)

    async def _add_timelines(self, rooms: Iterable[Room], timelines: Mapping[str, Sequence[StoredEvent]]) -> None:
        """`timelines` have the newest event first. Events of one room version are decorated together."""
        by_version: dict[str, list[Room]] = defaultdict(list)
        for room in rooms:
            by_version[room.version.identifier].append(room)
        for alike in by_version.values():
            rows = [row for room in alike for row in timelines.get(room.room_id, ())]
            events = iter(await self._decoration.events(rows, alike[0].version))
            for room in alike:
                newest = timelines.get(room.room_id, ())
                complete = len(newest) < LOADED_TIMELINE
                room.timeline = Timeline(floor=max(BEGINNING, room.floor - 1) if complete else newest[-1].position - 1)
                for event in reversed([next(events) for _ in newest]):
                    room.timeline.append(event)
