"""Events that are kept without a place in the timeline, and those that nobody is shown."""

import asyncio
from collections.abc import Collection, Iterable, Sequence

from myelin.db.committer import Committer, Write
from myelin.db.connection import Database
from myelin.db.sql import Statement
from myelin.matrix.events.pdu import Pdu
from myelin.services.rooms.graph.events_by_id import EventsById
from myelin.services.rooms.graph.incoming import Incoming
from myelin.services.rooms.graph.placing import row_statement
from myelin.services.rooms.graph.state_point import StatePoint
from myelin.services.rooms.rows import event_row
from myelin.store.events import OUTLIER, REJECTED, SOFT_FAILED, put_outlier
from myelin.store.log import LogStore

AT_ONCE = 500
"""Events written in one transaction; their positions are below all others, so that the log goes on meanwhile."""


class Outliers:
    """Keeps events."""

    def __init__(self, database: Database, committer: Committer, events: EventsById) -> None:
        self._database = database
        self._committer = committer
        self._events = events

    async def keep(self, pdus: Sequence[Pdu], rejected: Collection[str] = ()) -> None:
        """Keep events, those that are here already passed over; `rejected` are IDs of such as are not marked so."""
        for start in range(0, len(pdus), AT_ONCE):
            chunk = pdus[start : start + AT_ONCE]
            async with self._database.transaction() as transaction:
                lowest = await LogStore(transaction).take_backward_positions(len(chunk))
                rows = [_statement(p, at, p.rejected or p.event_id in rejected) for at, p in enumerate(chunk, lowest)]
                await transaction.execute_many(rows[0].sql, [row.args for row in rows])
            self._events.forget(pdu.event_id for pdu in chunk)
            await asyncio.sleep(0)

    async def keep_unseen(self, items: Iterable[tuple[Incoming, StatePoint]]) -> None:
        """Keep rejected and soft-failed events with the state before them, for who hangs on them."""
        rows = [(item.pdu, _flags(item), point) for item, point in items]
        await self._committer.commit(
            Write(
                lambda first: [row_statement(pdu, first + i, flags, at) for i, (pdu, flags, at) in enumerate(rows)],
                positions=len(rows),
            )
        )
        self._events.forget(pdu.event_id for pdu, _, _ in rows)


def _flags(item: Incoming) -> int:
    return (REJECTED if item.rejected else 0) | (SOFT_FAILED if item.soft_failed else 0)


def _statement(pdu: Pdu, position: int, is_rejected: bool) -> Statement:
    return event_row(put_outlier, pdu, position, OUTLIER | REJECTED if is_rejected else OUTLIER)
