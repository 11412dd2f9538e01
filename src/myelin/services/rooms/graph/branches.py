"""Events that hang elsewhere than at all ends of a room: what its ends and its state are then."""

import contextlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from myelin.bus.news import RoomEvents
from myelin.db.committer import Committer, GuardFailed, Write
from myelin.db.connection import DatabaseError
from myelin.db.sql import Statement
from myelin.matrix.events.pdu import Pdu, StateKey
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.graph.ends import Ends, NewEnds
from myelin.services.rooms.graph.events_by_id import NOTHING
from myelin.services.rooms.graph.incoming import Incoming
from myelin.services.rooms.graph.placing import (
    change_statements,
    derived_statements,
    is_hidden,
    memberships_of,
    move_statement,
    row_statement,
)
from myelin.services.rooms.graph.redacting import Redacting, RedactionPlan
from myelin.services.rooms.graph.room_graph import RoomGraph, is_current
from myelin.services.rooms.graph.state_point import StatePoint, difference
from myelin.services.rooms.room import Room
from myelin.services.rooms.rows import EventIndex
from myelin.services.rooms.tip import Tip
from myelin.services.rooms.writer import MAX_ATTEMPTS, PATIENCE
from myelin.store.events import HIDDEN, IN_TIMELINE
from myelin.store.graph import found_missing, put_floor, put_missing, put_whole_since

MAX_ASIDE = 500
"""State events that are told with the event that made them current; where there are more, rooms are read again."""

Open = Callable[[], Awaitable[tuple[Room, Tip]]]
Beside = Callable[[int], Sequence[Statement]]
"""What else is written, given the position."""


def nothing_beside(_: int) -> Sequence[Statement]:
    """Nothing else."""
    return ()


class Change(NamedTuple):
    """What becomes of a room's state."""

    entries: dict[StateKey, str | None]
    pdus: dict[str, Pdu]
    """The events of new entries, by ID."""
    begun: frozenset[StateKey]
    """Of those keys, the ones that had an entry."""

    @property
    def ended(self) -> list[StateKey]:
        """Keys that have no entry any more."""
        return [key for key, event_id in self.entries.items() if event_id is None]

    def aside(self, event_id: str) -> tuple[Pdu, ...]:
        """The events that are told beside the one with an ID."""
        return tuple(p for p in self.pdus.values() if p.event_id != event_id) if len(self.pdus) <= MAX_ASIDE else ()


class Branches:
    """Writes one event after the other, with the room to itself."""

    def __init__(
        self,
        rooms: Rooms,
        graph: RoomGraph,
        ends: Ends,
        committer: Committer,
        redacting: Redacting,
        indexes: Sequence[EventIndex],
    ) -> None:
        self._rooms = rooms
        self._graph = graph
        self._ends = ends
        self._committer = committer
        self._redacting = redacting
        self._indexes = indexes

    async def write(self, room_id: str, item: Incoming) -> None:
        """Write an accepted event, unless it is here. Raises TooMuchWork."""
        await write_alone(self._rooms, self._committer, room_id, lambda open_room: self.make(open_room, item))

    async def make(self, open_room: Open, item: Incoming) -> Write | None:
        """The write of an accepted event; None where it is here. Raises TooMuchWork."""
        room, tip = await open_room()
        pdu = item.pdu
        if await self._graph.places(room.room_id, [pdu.event_id]):
            return None
        ends = await self._ends.after(room.version, tip.extremities, pdu)
        before = await self.point_before(room, item)
        change = await self._change(room, pdu, before, ends)
        plan = await self._redacting.plan(room, [pdu])
        extremities = (*ends.others, *((pdu.event_id,) if ends.is_end else ()))
        tip.extremities, tip.depth = extremities, await self._depth(room, ends, pdu)
        return self._write(room, tip, item, before, change, plan, ends)

    async def point_before(self, room: Room, item: Incoming) -> StatePoint:
        """The state before an event. Raises TooMuchWork, or NotFound where that is not known."""
        given = item.state_before
        if isinstance(given, StatePoint):
            return given
        if given is not None:
            return await self._graph.point_of(room, given)
        return await self._graph.point_before(room, item.pdu)

    async def _change(self, room: Room, pdu: Pdu, before: StatePoint, ends: NewEnds) -> Change:
        """The room's state is that of all its ends together."""
        points = list((await self._graph.points_after(room.room_id, ends.others)).values())
        if ends.is_end:
            points.append(before if pdu.state_key is None else before.followed_by(pdu.key, pdu.event_id))
        if not points:
            return Change({}, {}, frozenset())
        now = await self._graph.meet(room, points, {pdu.event_id: pdu})
        if is_current(room, now.base):
            entries = {key: e for key, e in now.delta.items() if room.state.get(key) != e}
        else:
            entries = difference(room.state, await self._graph.whole(room, now))
        return await self.change_of(room, entries, {pdu.event_id: pdu})

    async def change_of(
        self, room: Room, entries: dict[StateKey, str | None], known: Mapping[str, Pdu] = NOTHING
    ) -> Change:
        """A change with the events that it needs; some that are at hand may be given."""
        wanted = [e for e in entries.values() if e is not None and e not in known]
        pdus = await self._graph.events.get(wanted, room.version) if wanted else {}
        pdus.update({e: known[e] for e in entries.values() if e is not None and e in known})
        return Change(entries, pdus, frozenset(key for key in entries if key in room.state))

    async def _depth(self, room: Room, ends: NewEnds, pdu: Pdu) -> int:
        others = await self._graph.events.get(ends.others, room.version)
        return max([other.depth for other in others.values()] + ([pdu.depth] if ends.is_end else []), default=pdu.depth)

    def _write(
        self,
        room: Room,
        tip: Tip,
        item: Incoming,
        before: StatePoint,
        change: Change,
        plan: RedactionPlan,
        ends: NewEnds,
    ) -> Write:
        pdu = item.pdu
        shown = plan.shown_as.get(pdu.event_id, pdu)
        is_shown = pdu.event_id not in plan.hidden and not is_hidden(pdu)
        is_gap = bool(ends.missing) and len(ends.missing) == len(set(pdu.prev_events))
        aside = change.aside(pdu.event_id)
        # A state event that clients must act on is never hidden, so that its change has an event.
        return Write(
            lambda position: [
                row_statement(pdu, position, IN_TIMELINE if is_shown else HIDDEN, before),
                *self._changes(room.room_id, position, change, pdu),
                *(derived_statements(pdu, shown, position, self._indexes) if is_shown else ()),
                *plan.statements.get(pdu.event_id, ()),
                *([found_missing(room.room_id, pdu.event_id)] if not ends.is_end else ()),
                *(put_missing(room.room_id, event_id, pdu.event_id) for event_id in ends.missing),
                *([put_floor(room.room_id, position)] if is_gap else ()),
                *(
                    [move_statement(room.room_id, position, ended=change.ended, is_gap=is_gap)]
                    if change.ended or is_gap or not is_shown
                    else ()
                ),
                *item.sending_on(position),
            ],
            chain=tip,
            tip=(tip.extremities, tip.depth),
            news=[
                RoomEvents(
                    room.room_id,
                    (shown,) if is_shown else (),
                    state=tuple(change.entries.items()),
                    aside=aside,
                    is_gap=is_gap,
                ),
                *item.news_of_sending_on,
            ],
        )

    def _changes(self, room_id: str, position: int, change: Change, pdu: Pdu | None) -> Iterable[Statement]:
        memberships = memberships_of(change.pdus.values())
        yield from change_statements(room_id, position, change.entries, memberships, change.begun)
        for other in change.pdus.values():
            if other is not pdu:
                for index in self._indexes:
                    yield from index.became_state(other)

    def state_write(
        self, room: Room, tip: Tip, change: Change, more: Beside = nothing_beside, *, is_whole: bool = False
    ) -> Write:
        """A change of the state by no event at all; `is_whole` says that nothing lacks in it any more."""
        return Write(
            lambda position: [
                *self._changes(room.room_id, position, change, None),
                move_statement(room.room_id, position, ended=change.ended),
                *([put_whole_since(room.room_id, position)] if is_whole else ()),
                *more(position),
            ],
            chain=tip,
            tip=(tip.extremities, tip.depth),
            news=[
                RoomEvents(
                    room.room_id,
                    (),
                    state=tuple(change.entries.items()),
                    aside=change.aside(""),
                    is_whole=is_whole,
                )
            ],
        )


async def write_alone(
    rooms: Rooms, committer: Committer, room_id: str, make: Callable[[Open], Awaitable[Write | None]]
) -> None:
    """Commit a write that `make` builds with the room to itself, tried again when another process was faster."""
    async with rooms.alone(room_id) as open_room:
        for attempt in range(MAX_ATTEMPTS):
            with contextlib.suppress(GuardFailed):
                if attempt < PATIENCE:
                    write = await make(open_room)
                    if write is not None:
                        await committer.commit(write)
                else:
                    await committer.commit_held(lambda last: _held(rooms, last, make, open_room))
                return
    raise DatabaseError(f"the room {room_id} is written to faster than this process can follow")


async def _held(
    rooms: Rooms, last: int, make: Callable[[Open], Awaitable[Write | None]], open_room: Open
) -> Write | None:
    await rooms.catch_up(last)
    return await make(open_room)
