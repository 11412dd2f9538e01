"""The log read back from the database, for what another process wrote."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from myelin.bus.feed import Batch
from myelin.bus.news import News, RoomEvents, RoomForgotten
from myelin.db.connection import Database
from myelin.matrix.room_versions import ROOM_VERSIONS
from myelin.services.accounts.log import read_signals
from myelin.services.e2ee.log import read_device_lists, read_key_counts, read_to_device
from myelin.services.receipts.log import read_receipts
from myelin.services.rooms.rows import to_pdu
from myelin.services.userdata.log import read_account_data
from myelin.store.events import EventStore
from myelin.store.rooms import RoomStore
from myelin.store.state import StateStore

ReadKind = Callable[[Database, int, int], Coroutine[Any, Any, Iterable[tuple[int, News]]]]


async def read_room_events(database: Database, first: int, last: int) -> list[tuple[int, News]]:
    """New events, each with the state that began at its position."""
    rows = await EventStore(database).between(first, last)
    if not rows:
        return []
    versions = {
        room.room_id: ROOM_VERSIONS[room.room_version]
        for room in await RoomStore(database).rooms(sorted({row.room_id for row in rows}))
    }
    begun: dict[tuple[str, int], list[tuple[tuple[str, str], str | None]]] = {}
    for change in await StateStore(database).begun_between(first, last):
        begun.setdefault((change.room_id, change.from_pos), []).append(
            ((change.type, change.state_key), change.event_id)
        )
    return [
        (
            row.position,
            RoomEvents(
                room_id=row.room_id,
                pdus=(to_pdu(row, versions[row.room_id]),),
                state=tuple(begun.get((row.room_id, row.position), ())),
                own=(row.txn,) if row.txn is not None else (),
            ),
        )
        for row in rows
    ]


async def read_forgotten(database: Database, first: int, last: int) -> list[tuple[int, News]]:
    """Rooms that users forgot, and have not entered again since."""
    rows = await StateStore(database).forgotten_between(first, last)
    return [(row.position, RoomForgotten(row.user_id, row.room_id)) for row in rows]


READERS: tuple[ReadKind, ...] = (
    read_room_events,
    read_forgotten,
    read_signals,
    read_account_data,
    read_receipts,
    read_to_device,
    read_device_lists,
    read_key_counts,
)
"""One for each kind of row that has a position."""


class LogReader:
    """Turns rows of a range of positions into the news that their writer announced."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, first: int, last: int) -> Batch:
        """The news from `first` to `last`, both included, in order."""
        found = await asyncio.gather(*(read(self._database, first, last) for read in READERS))
        return sorted((item for news in found for item in news), key=lambda item: item[0])
