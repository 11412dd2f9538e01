"""The log read back from the database, for what another process wrote."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any

import orjson

from myelin.bus.feed import Batch
from myelin.bus.news import News, RoomEvents, RoomForgotten
from myelin.db.connection import Database
from myelin.matrix.events.pdu import Pdu, StateKey
from myelin.matrix.room_versions import ROOM_VERSIONS, RoomVersion
from myelin.services.accounts.log import read_signals
from myelin.services.e2ee.log import read_device_lists, read_key_counts, read_to_device
from myelin.services.federation.sending.log import read_forwarded_events, read_queued_edus
from myelin.services.receipts.log import read_receipts
from myelin.services.rooms.graph.branches import MAX_ASIDE
from myelin.services.rooms.rows import to_pdu
from myelin.services.threads.log import read_thread_subscriptions
from myelin.services.userdata.log import read_account_data
from myelin.store.events import EventStore, StoredEvent
from myelin.store.graph import GraphStore
from myelin.store.rooms import RoomStore
from myelin.store.state import StateStore

ReadKind = Callable[[Database, int, int], Coroutine[Any, Any, Iterable[tuple[int, News]]]]


async def read_room_events(database: Database, first: int, last: int) -> list[tuple[int, News]]:
    """New events, each with the state that began and ended at its position, and moves of rooms without any."""
    rows = {row.position: row for row in await EventStore(database).between(first, last)}
    moves = {move.position: move for move in await GraphStore(database).moves(first, last)}
    if not rows and not moves:
        return []
    rooms = {move.position: move.room_id for move in moves.values()}
    rooms.update((row.position, row.room_id) for row in rows.values())
    stored = {room.room_id: room for room in await RoomStore(database).rooms(sorted(set(rooms.values())))}
    versions = {room.room_id: ROOM_VERSIONS[room.room_version] for room in stored.values()}
    begun: dict[tuple[str, int], dict[StateKey, str | None]] = {}
    for change in await StateStore(database).begun_between(first, last):
        begun.setdefault((change.room_id, change.from_pos), {})[change.type, change.state_key] = change.event_id
    told: list[tuple[int, News]] = []
    for position, room_id in rooms.items():
        row, move = rows.get(position), moves.get(position)
        state = begun.get((room_id, position), {})
        if move is not None:
            state.update(dict.fromkeys((kind, key) for kind, key in orjson.loads(move.ended)))
        news = RoomEvents(
            room_id=room_id,
            pdus=() if row is None else (to_pdu(row, versions[room_id]),),
            state=tuple(state.items()),
            own=(row.txn,) if row is not None and row.txn is not None else (),
            aside=await _aside(database, state, row, versions[room_id]),
            is_gap=move is not None and move.is_gap,
            is_whole=stored[room_id].whole_since == position,
        )
        told.append((position, news))
    return told


async def _aside(
    database: Database, state: Mapping[StateKey, str | None], row: StoredEvent | None, version: RoomVersion
) -> tuple[Pdu, ...]:
    """The events of new state that are not the one in line, unless they are many."""
    wanted = [e for e in state.values() if e is not None and (row is None or e != row.event_id)]
    if not wanted or len(wanted) > MAX_ASIDE:
        return ()
    return tuple(to_pdu(found, version) for found in await EventStore(database).events(wanted))


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
    read_queued_edus,
    read_forwarded_events,
    read_thread_subscriptions,
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
