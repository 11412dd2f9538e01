"""What other servers read of our rooms: only servers that are in the room, only events of that room."""

import heapq
from collections.abc import Iterable, Sequence
from typing import Any

from myelin.db.connection import Database
from myelin.matrix.errors import Forbidden, NotFound
from myelin.matrix.events.pdu import Pdu
from myelin.matrix.identifiers import is_event_id
from myelin.services.federation.receiving.peer_sight import PeerSight
from myelin.services.federation.receiving.receiver import may_take_part
from myelin.services.federation.receiving.room_locks import Locks
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.graph.events_by_id import TooMuchWork
from myelin.services.rooms.graph.room_graph import RoomGraph
from myelin.services.rooms.room import Room
from myelin.services.rooms.rows import to_pdu
from myelin.store.events import OUTLIER, REJECTED, EventStore, StoredEvent
from myelin.telemetry.ambient import Clock

MAX_BACKFILL = 100
"""Events in one answer."""
MAX_MISSING = 100
MAX_WAITING = 10
"""Requests of one server for the state of rooms that are held at once; one after the other is answered."""
MAX_NAMED = 20
"""Event IDs of a request that are looked at."""
MAX_WALKED = 500
"""Events looked through for one answer."""
MAX_CHAIN = 200_000
"""Events of a state and its auth chain in one answer."""


class PeerReading:
    """Answers other servers."""

    def __init__(
        self, server_name: str, rooms: Rooms, graph: RoomGraph, sight: PeerSight, database: Database, clock: Clock
    ) -> None:
        self._server_name = server_name
        self._rooms = rooms
        self._graph = graph
        self._sight = sight
        self._events = EventStore(database)
        self._clock = clock
        self._locks = Locks()

    async def room(self, origin: str, room_id: str) -> Room:
        """A room that the server is in. Raises Forbidden, also where there is none."""
        room = await self._rooms.find(room_id)
        if room is None or origin not in room.servers or not may_take_part(room, origin):
            raise Forbidden("Your server is not in the room")
        return room

    async def event(self, origin: str, event_id: str) -> dict[str, Any]:
        """One event. Raises NotFound, also where the server may not know of it."""
        rows = await self._events.events([event_id]) if is_event_id(event_id) else []
        if not rows or rows[0].flags & REJECTED:
            raise NotFound("There is no such event")
        try:
            room = await self.room(origin, rows[0].room_id)
        except Forbidden:
            raise NotFound("There is no such event") from None
        return self._transaction(await self._sight.shown(room, origin, rows))

    def _transaction(self, pdus: list[dict[str, Any]]) -> dict[str, Any]:
        return {"origin": self._server_name, "origin_server_ts": self._clock.now_ms(), "pdus": pdus}

    async def state(self, origin: str, room_id: str, event_id: str) -> dict[str, Any]:
        """The state before an event, and its auth chain."""
        state, chain = await self._state_before(origin, room_id, event_id)
        room = await self.room(origin, room_id)
        return {
            "pdus": await self._sight.of_state(room, origin, state),
            "auth_chain": await self._sight.of_state(room, origin, chain),
        }

    async def state_ids(self, origin: str, room_id: str, event_id: str) -> dict[str, Any]:
        """The IDs of the same."""
        state, chain = await self._state_before(origin, room_id, event_id)
        return {"pdu_ids": [p.event_id for p in state], "auth_chain_ids": [p.event_id for p in chain]}

    async def _state_before(self, origin: str, room_id: str, event_id: str) -> tuple[list[Pdu], list[Pdu]]:
        async with self._locks.of(origin, MAX_WAITING):
            return await self._find_state(origin, room_id, event_id)

    async def _find_state(self, origin: str, room_id: str, event_id: str) -> tuple[list[Pdu], list[Pdu]]:
        room = await self.room(origin, room_id)
        places = await self._graph.places(room_id, [event_id] if is_event_id(event_id) else [])
        if not places or places[event_id].flags & REJECTED or room.partial_servers is not None:
            raise NotFound("The state at this event is not known here")
        state = await self._graph.state_before(room, event_id)
        events = await self._graph.events.get(state.values(), room.version)
        return list(events.values()), await self._chain(room, events)

    async def _chain(self, room: Room, event_ids: Iterable[str]) -> list[Pdu]:
        try:
            chain = await self._graph.auth_chain(event_ids, room.version, limit=MAX_CHAIN)
        except TooMuchWork as error:
            raise NotFound("The auth chain is too long to be told") from error
        return list(chain.values())

    async def event_auth(self, origin: str, room_id: str, event_id: str) -> dict[str, Any]:
        """The auth chain of an event of the room."""
        room = await self.room(origin, room_id)
        rows = await self._events.events([event_id]) if is_event_id(event_id) else []
        if not rows or rows[0].room_id != room_id:
            raise NotFound("There is no such event in the room")
        return {"auth_chain": await self._sight.of_state(room, origin, await self._chain(room, [event_id]))}

    async def backfill(self, origin: str, room_id: str, event_ids: Sequence[str], limit: int) -> dict[str, Any]:
        """Some events and what they build on, the deepest first."""
        room = await self.room(origin, room_id)
        found = await self._walk(room, event_ids, frozenset(), min(limit, MAX_BACKFILL), -1)
        return self._transaction(await self._sight.shown(room, origin, found))

    async def missing_events(
        self, origin: str, room_id: str, earliest: Sequence[str], latest: Sequence[str], limit: int, min_depth: int
    ) -> dict[str, Any]:
        """What some events build on up to others, oldest first."""
        room = await self.room(origin, room_id)
        known = frozenset(earliest[:MAX_NAMED]) | frozenset(latest[:MAX_NAMED])
        start = [prev for pdu in await self._placed(room, latest) for prev in pdu.prev_events]
        found = await self._walk(room, start, known, min(limit, MAX_MISSING), min_depth)
        return {"events": await self._sight.shown(room, origin, found[::-1])}

    async def _placed(self, room: Room, event_ids: Sequence[str]) -> list[Pdu]:
        rows = await self._rows(room, [e for e in event_ids[:MAX_NAMED] if is_event_id(e)])
        return [to_pdu(row, room.version) for row in rows]

    async def _rows(self, room: Room, event_ids: Sequence[str]) -> list[StoredEvent]:
        """Those of the events that have a place in the room and are accepted or soft-failed."""
        if not event_ids:
            return []
        rows = await self._events.events(list(event_ids))
        return [row for row in rows if row.room_id == room.room_id and not row.flags & (OUTLIER | REJECTED)]

    async def _walk(
        self, room: Room, start: Sequence[str], without: frozenset[str], limit: int, min_depth: int
    ) -> list[StoredEvent]:
        """Events from some on backwards, the deepest first: at most `limit`, and none of `without`."""
        seen = set(without)
        found: list[StoredEvent] = []
        ahead: list[tuple[int, str, StoredEvent, Pdu]] = []
        wanted = [e for e in dict.fromkeys(start) if e not in seen and is_event_id(e)][: MAX_NAMED * MAX_NAMED]
        walked = 0
        while len(found) < limit and walked < MAX_WALKED:
            seen.update(wanted)
            walked += len(wanted)
            for row in await self._rows(room, wanted):
                pdu = to_pdu(row, room.version)
                heapq.heappush(ahead, (-pdu.depth, pdu.event_id, row, pdu))
            if not ahead:
                break
            _, _, row, pdu = heapq.heappop(ahead)
            if pdu.depth >= min_depth:
                found.append(row)
            wanted = [e for e in pdu.prev_events if e not in seen]
        return found
