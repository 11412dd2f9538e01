"""The usual way of an event of another server: it comes next on all that is the end of the room, like one of ours."""

import asyncio
from collections.abc import Iterable, Sequence

from myelin.bus.news import RoomEvents
from myelin.db.committer import Committer, Write
from myelin.db.sql import Statement
from myelin.matrix.events.pdu import Pdu
from myelin.services.rooms.graph.incoming import Incoming
from myelin.services.rooms.graph.placing import hidden_statements, is_hidden, linear_statements
from myelin.services.rooms.graph.redacting import Redacting, RedactionPlan
from myelin.services.rooms.room import Room
from myelin.services.rooms.rows import EventIndex
from myelin.services.rooms.tip import Tip
from myelin.services.rooms.writer import room_news


class LinearWriting:
    """Chains events on a room's tip."""

    def __init__(self, committer: Committer, redacting: Redacting, indexes: Sequence[EventIndex]) -> None:
        self._committer = committer
        self._redacting = redacting
        self._indexes = indexes

    async def write(self, room: Room, tip: Tip, todo: Sequence[Incoming]) -> int:
        """Write those first events that come next on the tip; how many. Raises GuardFailed."""
        if not linear_run(tip, todo):
            return 0
        plan = await self._redacting.plan(room, [item.pdu for item in todo if item.is_accepted])
        # The tip may have moved meanwhile; from here on nothing is awaited until all is handed to the Committer.
        count = 0 if tip.dead or room.tip is not tip else linear_run(tip, todo)
        writes = [self._chain(room, tip, run, plan) for run in _runs(todo[:count], plan)]
        for write in writes:
            self._committer.submit(write)
        if writes:
            tip.writes = writes[-1]
            outcomes = await asyncio.gather(*(asyncio.shield(w.done) for w in writes), return_exceptions=True)
            for outcome in outcomes:
                if isinstance(outcome, BaseException):
                    raise outcome
        return count

    def _chain(self, room: Room, tip: Tip, run: Sequence[Incoming], plan: RedactionPlan) -> Write:
        """One write: events that are shown, or one that is not."""
        shown = [plan.shown_as.get(item.pdu.event_id, item.pdu) for item in run]
        for pdu in shown:
            tip.extend(pdu, room.state)
        firsts = tip.firsts.copy()
        hidden = _hides(run[0].pdu, plan)

        def statements(first: int) -> Iterable[Statement]:
            for offset, (item, as_shown) in enumerate(zip(run, shown, strict=True)):
                pdu = item.pdu
                if hidden:
                    yield from hidden_statements(pdu, first)
                else:
                    is_first = pdu.event_id in firsts
                    position = first + offset
                    yield from linear_statements(pdu, as_shown, position, is_first=is_first, indexes=self._indexes)
                yield from plan.statements.get(pdu.event_id, ())
                yield from item.sending_on(first + offset)

        return Write(
            statements,
            positions=len(run),
            chain=tip,
            tip=(tip.extremities, tip.depth),
            news=[
                RoomEvents(room.room_id, ()) if hidden else room_news(shown),
                *(news for item in run for news in item.news_of_sending_on),
            ],
        )


def linear_run(tip: Tip, todo: Sequence[Incoming]) -> int:
    """How many of the events come next on the tip, one after the other."""
    ends = set(tip.extremities)
    for count, item in enumerate(todo):
        if not ends or not item.is_accepted or set(item.pdu.prev_events) != ends:
            return count
        ends = {item.pdu.event_id}
    return len(todo)


def _runs(items: Sequence[Incoming], plan: RedactionPlan) -> Iterable[list[Incoming]]:
    run: list[Incoming] = []
    for item in items:
        if _hides(item.pdu, plan):
            if run:
                yield run
            yield [item]
            run = []
        else:
            run.append(item)
    if run:
        yield run


def _hides(pdu: Pdu, plan: RedactionPlan) -> bool:
    return pdu.event_id in plan.hidden or is_hidden(pdu)
