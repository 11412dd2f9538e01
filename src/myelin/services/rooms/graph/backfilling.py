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
from myelin.services.rooms.graph.starts import Start, Starts
from myelin.services.rooms.graph.state_point import StatePoint, difference
from myelin.services.rooms.room import MEMBER, Room
from myelin.services.rooms.rows import EventIndex
from myelin.store.events import HIDDEN, IN_TIMELINE, REJECTED
from myelin.store.graph import FROM_THE_START, begin_later, found_missing, put_interval, put_missing
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
        self,
        database: Database,
        graph: RoomGraph,
        redacting: Redacting,
        indexes: Sequence[EventIndex],
        starts: Starts,
    ) -> None:
        self._database = database
        self._graph = graph
        self._redacting = redacting
        self._indexes = indexes
        self._starts = starts

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
        start = await self._starts.of(room.room_id)
        async with self._database.transaction() as transaction:
            lowest = await LogStore(transaction).take_backward_positions(len(steps) + 1)
            batch = Batch(room, lowest, steps, state_before)
            start = await self._starts.checked(transaction, room.room_id, start, batch.end)
            await self._write(transaction, batch, start.state, plan, missing)
        self._starts.put(room.room_id, Start(lowest, state_before))
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
            changes = difference(now, before)
            now = before
            if pdu.state_key is not None and not pdu.rejected:
                changes[pdu.key] = pdu.event_id
                now = {**before, pdu.key: pdu.event_id}
            after[pdu.event_id] = place, now
            steps.append(Step(pdu, StatePoint(base, delta), changes))
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
        states = list({id(state): state for _, state in found}.values())
        if len(states) == 1:
            return base, states[0]
        return base, await answer_with(resolve(states, room.version), self._graph.events.asking(room.version, new))

    async def _write(
        self,
        transaction: Transaction,
        batch: "Batch",
        start: StateMap,
        plan: RedactionPlan,
        missing: Iterable[tuple[str, str]],
    ) -> None:
        room, steps = batch.room, batch.steps
        statements: list[Statement] = []
        for place, step in enumerate(steps, 1):
            statements += self._event(step, batch.lowest + place, batch.lowest, place, plan)
        changes = batch.changes()
        moved = list({**difference(start, batch.state_before), **changes})
        members = {batch.state_before.get(key) for key in moved if key[0] == MEMBER}
        members |= {e for key in changes if key[0] == MEMBER for _, e in changes[key]}
        known = await self._graph.events.get((e for e in members if e is not None), room.version)
        known.update((step.pdu.event_id, step.pdu) for step in steps)
        statements += _intervals(batch, start, moved, changes, memberships_of(known.values()))
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


class Batch(NamedTuple):
    """Events that are being written, at the positions after `lowest`."""

    room: Room
    lowest: int
    steps: Sequence[Step]
    state_before: StateMap

    @property
    def end(self) -> int:
        """The position from which on everything was here."""
        return self.lowest + len(self.steps) + 1

    def changes(self) -> dict[StateKey, list[tuple[int, str | None]]]:
        """For each entry that changes in the batch, at which positions, and to what."""
        found: dict[StateKey, list[tuple[int, str | None]]] = {}
        for position, step in enumerate(self.steps, self.lowest + 1):
            for key, event_id in step.changes.items():
                found.setdefault(key, []).append((position, event_id))
        return found


def _intervals(
    batch: Batch,
    start: StateMap,
    moved: Sequence[StateKey],
    changes: Mapping[StateKey, Sequence[tuple[int, str | None]]],
    memberships: Mapping[str, str | None],
) -> Iterable[Statement]:
    """The entries that moved, from the start to the end of a batch, where the state that was here begins."""
    room_id, end = batch.room.room_id, batch.end
    # First what was from the start makes room.
    for key in moved:
        if key in start:
            yield begin_later(room_id, *key, end)
    for key in moved:
        later = changes.get(key, ())
        line = [(FROM_THE_START, batch.state_before.get(key)), *later]
        for (at, event_id), until in zip(line, [*(p for p, _ in later), end], strict=True):
            if event_id is not None:
                yield put_interval(room_id, *key, at, until, event_id, memberships.get(event_id))
