"""Rooms that were joined without their members, until these are here (spec: `omit_members` of `send_join`).

The room is used from the first moment on. Which rooms lack members is a row in the database, so that a restart takes it
up again; rooms are fetched side by side, and one whose servers do not answer is tried again later and later.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import orjson
import structlog

from myelin.db.connection import Database
from myelin.db.sql import Statement
from myelin.matrix.errors import MyelinError
from myelin.matrix.events.pdu import Pdu
from myelin.matrix.identifiers import is_server_name
from myelin.services.federation.handshakes.missing_members import MissingMembers
from myelin.services.rooms.cache import Rooms
from myelin.store.partial_rooms import PartialRoom, PartialRoomStore, forget_partial_room, put_partial_room
from myelin.telemetry.ambient import Clock

AT_ONCE = 4
"""Rooms that a process fetches at the same time."""
LEASE_MS = 15_000
"""After this time another process takes over what a process that is gone had begun with."""
RENEW_S = 5
LOOK_EVERY_S = 5
FIRST_RETRY_MS = 10_000
LAST_RETRY_MS = 3_600_000
MAX_SERVERS = 5_000
"""Servers of a room that are remembered."""

_log = structlog.get_logger("myelin.federation")


class PartialRooms:
    """Fetches what is missing, for ever."""

    def __init__(
        self, server_name: str, missing: MissingMembers, rooms: Rooms, database: Database, clock: Clock
    ) -> None:
        self._server_name = server_name
        self._missing = missing
        self._rooms = rooms
        self._store = PartialRoomStore(database)
        self._clock = clock
        self._more = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def begun(self, join: Pdu, server: str, servers: Any, *, is_partial: bool) -> list[Statement]:
        """What is written with a room that is taken over, with its members or without them."""
        if not is_partial:
            return [forget_partial_room(join.room_id)]
        named = servers[:MAX_SERVERS] if isinstance(servers, list) else []
        known = [name for name in dict.fromkeys([server, *named]) if name != self._server_name and is_server_name(name)]
        return [put_partial_room(join.room_id, join.event_id, orjson.dumps(known).decode(), self._clock.now_ms())]

    def wake(self) -> None:
        """There is a room to be fetched."""
        self._more.set()

    async def run(self) -> None:
        """Fetch rooms whenever there are any."""
        try:
            while True:
                self._more.clear()
                await self._take()
                try:
                    async with asyncio.timeout(LOOK_EVERY_S):
                        await self._more.wait()
                except TimeoutError:
                    continue
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _take(self) -> None:
        free = AT_ONCE - len(self._tasks)
        if free <= 0:
            return
        now = self._clock.now_ms()
        for room in await self._store.take(now, now - LEASE_MS, free):
            task = asyncio.get_running_loop().create_task(self._fetch(room))
            self._tasks.add(task)
            task.add_done_callback(self._ended)

    async def _fetch(self, room: PartialRoom) -> None:
        servers: Sequence[str] = orjson.loads(room.servers)
        renewing = asyncio.get_running_loop().create_task(self._renew(room))
        try:
            if await self._missing.fetch(room.room_id, room.join_event_id, servers):
                _log.info("a room has all its members", room_id=room.room_id)
            else:
                await self._store.drop(room.room_id, room.join_event_id)
                self._rooms.drop(room.room_id)
        except MyelinError as error:
            wait_ms = min(FIRST_RETRY_MS * 2 ** min(room.failures, 20), LAST_RETRY_MS)
            # It counts as begun with so long ago that the lease ends when it is to be tried again.
            await self._store.fail(room.room_id, self._clock.now_ms() - LEASE_MS + wait_ms)
            _log.warning("the members of a room could not be fetched", room_id=room.room_id, error=str(error))

        finally:
            renewing.cancel()

    async def _renew(self, room: PartialRoom) -> None:
        """Have other processes know that this one is at it."""
        while True:
            await asyncio.sleep(RENEW_S)
            await self._store.renew(room.room_id, room.join_event_id, self._clock.now_ms())

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        self._more.set()
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _log.error("fetching the members of a room failed", exc_info=error)
