"""The state of rooms before all that is here of them: who reads a room back needs it for every batch."""

from collections import OrderedDict
from typing import Final, NamedTuple

from myelin.db.connection import Connection, Database
from myelin.matrix.events.pdu import StateMap
from myelin.store.graph import GraphStore

MAX_HELD: Final = 4
"""Rooms whose start is in memory, at 2 MB for ten thousand members."""


class Start(NamedTuple):
    """Such a state; it is good for as long as nobody takes a position below `lowest`."""

    lowest: int
    state: StateMap


class Starts:
    """Remembers them. The maps are shared: read-only."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._gaps = GraphStore(database)
        self._held: OrderedDict[str, Start] = OrderedDict()

    async def of(self, room_id: str) -> Start:
        """A room's."""
        lowest = await self._gaps.backward()
        held = self._held.get(room_id)
        if held is not None and held.lowest == lowest:
            return held
        found = await _read(self._database, room_id, lowest)
        self.put(room_id, found)
        return found

    async def checked(self, connection: Connection, room_id: str, start: Start, lowest: int) -> Start:
        """The start for who has just taken positions from `lowest` down: read again if others did so before."""
        return start if start.lowest == lowest else await _read(connection, room_id, lowest)

    def put(self, room_id: str, start: Start) -> None:
        """This is a room's start now."""
        self._held[room_id] = start
        self._held.move_to_end(room_id)
        if len(self._held) > MAX_HELD:
            self._held.popitem(last=False)


async def _read(connection: Connection, room_id: str, lowest: int) -> Start:
    rows = await GraphStore(connection).start(room_id, lowest)
    return Start(lowest, {(kind, state_key): event_id for kind, state_key, event_id in rows})
