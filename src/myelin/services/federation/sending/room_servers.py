"""Which servers are in a room: now, from memory, or at some position of the log."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import orjson

from myelin.db.connection import Database
from myelin.store.destinations import DestinationStore, JoinInterval
from myelin.store.partial_rooms import PartialRoomStore
from myelin.store.state import OPEN

Place = tuple[str, int]
"""A room and a position."""


class RoomServers:
    """Reads from the log who was where."""

    def __init__(self, database: Database) -> None:
        self._store = DestinationStore(database)
        self._partial_rooms = PartialRoomStore(database)

    async def at(self, places: Iterable[Place]) -> dict[Place, set[str]]:
        """For each place the servers of who was in the room there, those included who left by the event there."""
        wanted: defaultdict[str, list[int]] = defaultdict(list)
        for room_id, position in places:
            wanted[room_id].append(position)
        if not wanted:
            return {}
        first, last = min(map(min, wanted.values())), max(map(max, wanted.values()))
        joins = await self._partial(list(wanted))
        for interval in await self._store.joins_during(list(wanted), first, last):
            joins[interval.room_id].append(interval)
        return {
            (room_id, position): _servers_at(joins[room_id], position)
            for room_id, positions in wanted.items()
            for position in positions
        }

    async def during(self, room_id: str, server_name: str, first: int, last: int) -> list[JoinInterval]:
        """When users of a server were in a room."""
        found = await self._store.joins_of_server(room_id, server_name, first, last)
        if not found:
            partial = await self._partial([room_id])
            found = [join for join in partial[room_id] if join.user_id.partition(":")[2] == server_name]
        return found

    async def _partial(self, room_ids: list[str]) -> defaultdict[str, list[JoinInterval]]:
        """Servers in rooms whose members are still to be fetched, as if they had always been there."""
        joins: defaultdict[str, list[JoinInterval]] = defaultdict(list)
        for room in await self._partial_rooms.among(room_ids):
            for name in orjson.loads(room.servers):
                joins[room.room_id].append(JoinInterval(room.room_id, f"@:{name}", 0, OPEN))
        return joins


def was_there(joins: Sequence[JoinInterval], position: int) -> bool:
    """Whether anybody was in the room at a position, or left there."""
    return any(join.from_pos <= position <= join.to_pos for join in joins)


def _servers_at(joins: Sequence[JoinInterval], position: int) -> set[str]:
    return {join.user_id.partition(":")[2] for join in joins if join.from_pos <= position <= join.to_pos}
