"""Events older than all that is here: positions below all others, and the state before the first of them.

The state before the oldest event is a set of intervals that hold from the start. An older batch moves the beginning of
those that it shows to be newer, and lays its own before them: each batch costs only what changed in it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from myelin.db.connection import Database, Transaction
from myelin.db.sql import Sql, Statement
from myelin.matrix.events.asking import answer_with
from myelin.matrix.events.pdu import Pdu, StateKey, StateMap
from myelin.matrix.state_resolution import resolve
from myelin.services.rooms.graph.placing import derived_statements, is_hidden, memberships_of, row_statement
from myelin.services.rooms.graph.redacting import Redacting, RedactionPlan
from myelin.services.rooms.graph.room_graph import RoomGraph
from myelin.services.rooms.graph.state_point import StatePoint, difference
from myelin.services.rooms.room import MEMBER, Room
from myelin.services.rooms.rows import EventIndex
from myelin.store.events import HIDDEN, IN_TIMELINE, REJECTED
from myelin.store.graph import FROM_THE_START, GraphStore, begin_later, found_missing, put_interval, put_missing
from myelin.store.log import LogStore


class Step(NamedTuple):
    """An event of a batch with the states around it."""

    pdu: Pdu
    before: StatePoint
    """Positions count from the batch's own beginning, which is 0."""
    changes: dict[StateKey, str | None]
    """How the state after it differs from that after the event before it in the batch."""


class Backfilling:
    """Writes batches of old events."""

    def __init__(
        self, database: Database, graph: RoomGraph, redacting: Redacting, indexes: Sequence[EventIndex]
    ) -> None:
        self._database = database
        self._graph = graph
        self._redacting = redacting
        self._indexes = indexes

    async def write(self, room: Room, pdus: Sequence[Pdu], state_before: StateMap) -> int:
        """Write those of the events that are not here yet, each after those that it hangs on; how many are accepted.

        Rejected ones, which are marked, get their place too: what they hang on is found through them.
        """
        here = await self._graph.places(room.room_id, [pdu.event_id for pdu in pdus])
        new = [pdu for pdu in pdus if pdu.event_id not in here]
        if not new:
            return 0
        steps = await self._walk(room, new, state_before)
        plan = await self._redacting.plan(room, [pdu for pdu in new if not pdu.rejected])
        referred = {prev for pdu in new for prev in pdu.prev_events} - {pdu.event_id for pdu in new}
        known = await self._graph.places(room.room_id, list(referred))
        missing = [(prev, pdu.event_id) for pdu in new for prev in pdu.prev_events if prev in referred - known.keys()]
        members = {e for step in steps for (kind, _), e in step.changes.items() if kind == MEMBER and e}
        members |= {event_id for (kind, _), event_id in state_before.items() if kind == MEMBER}
        memberships = memberships_of((await self._graph.events.get(members, room.version)).values())
        memberships.update(memberships_of(new))
        async with self._database.transaction() as transaction:
            await self._write(transaction, room, steps, plan, state_before, memberships, missing)
        self._graph.events.forget(pdu.event_id for pdu in new)
        return sum(not pdu.rejected for pdu in new)

    async def _walk(self, room: Room, pdus: Sequence[Pdu], state_before: StateMap) -> list[Step]:
        """The state before and after each event; where it hangs on something else the state before all is taken."""
        after: dict[str, tuple[int, StateMap]] = {}
        new = {pdu.event_id: pdu for pdu in pdus}
        now = state_before
        steps: list[Step] = []
        for place, pdu in enumerate(pdus, 1):
            base, before = await self._before(room, pdu, after, state_before, new)
            delta = difference(after_at(after, base, state_before), before)
            state = before if pdu.state_key is None or pdu.rejected else {**before, pdu.key: pdu.event_id}
            after[pdu.event_id] = place, state
            steps.append(Step(pdu, StatePoint(base, delta), difference(now, state)))
            now = state
        return steps

    async def _before(
        self,
        room: Room,
        pdu: Pdu,
        after: dict[str, tuple[int, StateMap]],
        start: StateMap,
        new: Mapping[str, Pdu],
    ) -> tuple[int, StateMap]:
        """The place nearest to the state before an event, and that state."""
        found = [after[prev] for prev in dict.fromkeys(pdu.prev_events) if prev in after]
        if not found:
            return 0, start
        base = max(place for place, _ in found)
        states = [state for _, state in found]
        if len(states) == 1:
            return base, states[0]
        return base, await answer_with(resolve(states, room.version), self._graph.events.asking(room.version, new))

    async def _write(
        self,
        transaction: Transaction,
        room: Room,
        steps: Sequence[Step],
        plan: RedactionPlan,
        state_before: StateMap,
        memberships: dict[str, str | None],
        missing: Iterable[tuple[str, str]],
    ) -> None:
        lowest = await LogStore(transaction).take_backward_positions(len(steps) + 1)
        end = lowest + len(steps) + 1
        rows = await GraphStore(transaction).start(room.room_id, end)
        start = {(kind, state_key): event_id for kind, state_key, event_id in rows}
        statements: list[Statement] = []
        for place, step in enumerate(steps, 1):
            statements += self._event(step, lowest + place, lowest, place, plan)
        statements += _intervals(room.room_id, lowest, end, steps, state_before, start, memberships)
        statements += [found_missing(room.room_id, step.pdu.event_id) for step in steps]
        statements += [put_missing(room.room_id, event_id, referrer) for event_id, referrer in missing]
        grouped: dict[Sql, list[Sequence[object]]] = {}
        for sql, args in statements:
            grouped.setdefault(sql, []).append(args)
        for sql, many in grouped.items():
            await transaction.execute_many(sql, many)

    def _event(self, step: Step, position: int, lowest: int, place: int, plan: RedactionPlan) -> Iterable[Statement]:
        pdu = step.pdu
        shown = plan.shown_as.get(pdu.event_id, pdu)
        is_shown = pdu.event_id not in plan.hidden and not is_hidden(pdu) and not pdu.rejected
        is_next = step.before.base == place - 1 and not step.before.delta
        before = None if is_next else StatePoint(lowest + step.before.base, step.before.delta)
        flags = REJECTED if pdu.rejected else IN_TIMELINE if is_shown else HIDDEN
        yield row_statement(pdu, position, flags, before)
        if is_shown:
            yield from derived_statements(pdu, shown, position, self._indexes)
        yield from plan.statements.get(pdu.event_id, ())


def after_at(after: dict[str, tuple[int, StateMap]], base: int, start: StateMap) -> StateMap:
    """The state at a place of the batch."""
    return next((state for place, state in after.values() if place == base), start)


def _intervals(
    room_id: str,
    lowest: int,
    end: int,
    steps: Sequence[Step],
    state_before: StateMap,
    start: StateMap,
    memberships: dict[str, str | None],
) -> Iterable[Statement]:
    """The state's entries from the start to the end of a batch, where the state that was here begins."""
    changes: dict[StateKey, list[tuple[int, str | None]]] = {}
    for place, step in enumerate(steps, 1):
        for key, event_id in step.changes.items():
            changes.setdefault(key, []).append((lowest + place, event_id))
    moved = [
        key for key in {**start, **state_before, **changes} if key in changes or state_before.get(key) != start.get(key)
    ]
    # First what was from the start makes room.
    for key in moved:
        if key in start:
            yield begin_later(room_id, *key, end)
    for key in moved:
        later = changes.get(key, [])
        line = [(FROM_THE_START, state_before.get(key)), *later]
        for (at, event_id), until in zip(line, [*(p for p, _ in later), end], strict=True):
            if event_id is not None:
                yield put_interval(room_id, *key, at, until, event_id, memberships.get(event_id))
