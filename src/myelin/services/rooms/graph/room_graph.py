"""The state of a room at any point of its graph (the idea: docs/architecture.md, "State as intervals").

Each event's row says the state before it as a position of the log and a delta. Where it says nothing, the event came
next on all that was the end of the room: the state before it was the room's right before its own position, and the
state after it the room's at its position.
"""

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence

from myelin.db.connection import Database
from myelin.matrix.errors import NotFound
from myelin.matrix.events.asking import answer_with
from myelin.matrix.events.pdu import Pdu, StateKey, StateMap
from myelin.matrix.room_versions import EventIdFormat, RoomVersion
from myelin.matrix.state_resolution import resolve
from myelin.services.rooms.graph.events_by_id import MAX_ASKED, NOTHING, EventsById
from myelin.services.rooms.graph.state_point import StatePoint, changed, decode_delta, difference
from myelin.services.rooms.room import Room
from myelin.store.events import OUTLIER, REJECTED, EventPlace, EventStore
from myelin.store.state import StateStore

MAX_HELD_ENTRIES = 200_000
"""Entries of the states that are kept in memory, about 30 MB."""
MAX_RESOLVED = 20
"""Outcomes of resolutions that are kept: the ends of a room often stay the same for a while but for one."""


class RoomGraph:
    """Finds state and auth chains. The maps that it gives are shared: read-only."""

    def __init__(self, database: Database) -> None:
        self.events = EventsById(database)
        self._places = EventStore(database)
        self._state = StateStore(database)
        self._held: OrderedDict[tuple[str, int], StateMap] = OrderedDict()
        self._resolved: OrderedDict[tuple[str, frozenset[object]], StatePoint] = OrderedDict()
        self._held_entries = 0

    async def state_after(self, room: Room, event_ids: Iterable[str]) -> StateMap:
        """The state after some events, resolved where there are several. Raises NotFound where one has none here."""
        wanted = list(dict.fromkeys(event_ids))
        points = await self.points_after(room.room_id, wanted)
        if len(points) != len(wanted):
            raise NotFound("There is no such event in this room")
        return await self.whole(room, await self.meet(room, list(points.values())))

    async def state_before(self, room: Room, event_id: str) -> StateMap:
        """The state before an event of the room's timeline. Raises NotFound where it has no place here."""
        places = await self.places(room.room_id, [event_id])
        if not places:
            raise NotFound("There is no such event in this room")
        return await self.whole(room, _point_before(places[event_id]))

    async def auth_chain(
        self, event_ids: Iterable[str], version: RoomVersion, *, limit: int = MAX_ASKED
    ) -> dict[str, Pdu]:
        """The auth chains of some events, by ID, without the events themselves unless one authorizes another.

        Raises TooMuchWork.
        """
        load = self.events.asking(version, limit=limit)
        chain: dict[str, Pdu] = {}
        wanted = {auth_id for pdu in (await load(event_ids)).values() for auth_id in pdu.auth_events}
        while wanted:
            found = await load(wanted)
            chain.update(found)
            wanted = {auth_id for pdu in found.values() for auth_id in pdu.auth_events} - chain.keys()
        return chain

    async def places(self, room_id: str, event_ids: Sequence[str]) -> dict[str, EventPlace]:
        """Those of the events that have a place in the room's graph, whether or not they are shown or accepted."""
        if not event_ids:
            return {}
        found = await self._places.places(list(event_ids))
        return {p.event_id: p for p in found if p.room_id == room_id and not p.flags & OUTLIER}

    async def is_elsewhere(self, room: Room, event_id: str) -> bool:
        """Whether an event of another room has this ID, as it can where servers choose IDs."""
        if room.version.event_id_format is not EventIdFormat.SENDER_CHOSEN:
            return False
        return any(place.room_id != room.room_id for place in await self._places.places([event_id]))

    async def points_after(self, room_id: str, event_ids: Sequence[str]) -> dict[str, StatePoint]:
        """Where the state after each of the events is to be had, for those that have a place here."""
        return {event_id: _point_after(place) for event_id, place in (await self.places(room_id, event_ids)).items()}

    async def point_before(self, room: Room, pdu: Pdu) -> StatePoint:
        """The state before an event all of whose `prev_events` have a place here. Raises NotFound, TooMuchWork."""
        points = await self.points_after(room.room_id, pdu.prev_events)
        if not points or len(points) != len(set(pdu.prev_events)):
            raise NotFound("The event hangs on some that are not here")
        return await self.meet(room, list(points.values()))

    async def meet(self, room: Room, points: Sequence[StatePoint], new: Mapping[str, Pdu] = NOTHING) -> StatePoint:
        """The state where branches meet; `new` are events that are not written yet. Raises TooMuchWork."""
        distinct = {(since(room, p.base), frozenset(p.delta.items())): p for p in points}
        if len(distinct) == 1:
            return max(points, key=lambda p: p.base)
        key = room.room_id, frozenset(distinct)
        found = self._resolved.get(key)
        if found is None:
            found = self._resolved[key] = await self._resolve(room, list(distinct.values()), new)
            if len(self._resolved) > MAX_RESOLVED:
                self._resolved.popitem(last=False)
        return found

    async def _resolve(self, room: Room, points: Sequence[StatePoint], new: Mapping[str, Pdu]) -> StatePoint:
        states = [await self.whole(room, point) for point in points]
        resolved = await answer_with(resolve(states, room.version), self.events.asking(room.version, new))
        base = max(point.base for point in points)
        return StatePoint(base, difference(await self._at(room, base), resolved), resolved)

    async def whole(self, room: Room, point: StatePoint) -> StateMap:
        """All of a state."""
        if point.whole is None:
            point.whole = changed(await self._at(room, point.base), point.delta)
        return point.whole

    async def entries(self, room: Room, point: StatePoint, keys: Iterable[StateKey]) -> StateMap:
        """Some entries of a state, without reading the others."""
        wanted = set(keys)
        if point.whole is not None:
            return {key: point.whole[key] for key in wanted if key in point.whole}
        found: StateMap = {}
        if is_current(room, point.base):
            found = {key: room.state[key] for key in wanted if key in room.state}
        elif lacking := wanted.difference(point.delta):
            types, state_keys = (sorted({key[i] for key in lacking}) for i in (0, 1))
            rows = await self._state.of_keys_at(room.room_id, types, state_keys, point.base)
            found = {(r.type, r.state_key): r.event_id for r in rows if (r.type, r.state_key) in lacking}
        return changed(found, {key: event_id for key, event_id in point.delta.items() if key in wanted})

    async def point_of(self, room: Room, state: StateMap) -> StatePoint:
        """A state that somebody else says, by its difference from the room's as it is now."""
        return StatePoint(room.position, difference(room.state, state), state)

    def forget(self, room_id: str) -> None:
        """The state at earlier positions is not what it was."""
        for key in [key for key in self._held if key[0] == room_id]:
            self._held_entries -= len(self._held.pop(key))

    async def _at(self, room: Room, position: int) -> StateMap:
        key = room.room_id, since(room, position)
        held = self._held.get(key)
        if held is not None:
            self._held.move_to_end(key)
            return held
        if is_current(room, position):
            state = dict(room.state)
        else:
            rows = await self._state.at(room.room_id, position)
            state = {(row.type, row.state_key): row.event_id for row in rows}
        if position >= 0:
            self._hold(key, state)
        return state

    def _hold(self, key: tuple[str, int], state: StateMap) -> None:
        if key in self._held:
            return
        self._held[key] = state
        self._held_entries += len(state)
        while self._held_entries > MAX_HELD_ENTRIES and self._held:
            self._held_entries -= len(self._held.popitem(last=False)[1])


def _point_before(place: EventPlace) -> StatePoint:
    if place.state_base is None:
        return StatePoint(place.position - 1, decode_delta(place.state_delta))
    return StatePoint(place.state_base, decode_delta(place.state_delta))


def _point_after(place: EventPlace) -> StatePoint:
    """What a rejected event says does not count; what a soft-failed one says does, for who hangs on it."""
    if place.state_base is None and place.state_delta is None and not place.flags & REJECTED:
        return StatePoint(place.position)
    before = _point_before(place)
    if place.state_key is None or place.flags & REJECTED:
        return before
    return before.followed_by((place.type, place.state_key), place.event_id)


def since(room: Room, position: int) -> int:
    """The position from which on the room's state was as it is at another one, as far as memory tells."""
    changes = room.state_changes
    if room.dropped or not changes[0] <= position <= room.position:
        return position
    return changes[bisect_right(changes, position) - 1]


def is_current(room: Room, position: int) -> bool:
    """Whether the room's state at a position is known to be the one it has in memory."""
    return room.state_changed <= position <= room.position and not room.dropped
