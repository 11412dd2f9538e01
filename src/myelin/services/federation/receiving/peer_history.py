"""What happened in a room before all that is here, asked of the servers that are in it."""

import asyncio
from typing import Any

import structlog

from myelin.db.connection import Database
from myelin.matrix.errors import CoreError, MatrixError
from myelin.matrix.events.pdu import Pdu, StateMap
from myelin.services.federation.peers.errors import PeerFailed
from myelin.services.federation.peers.paths import path_of
from myelin.services.federation.peers.peers import Peers
from myelin.services.federation.receiving.fetching import Fetching
from myelin.services.federation.receiving.judging import Judging, in_graph_order
from myelin.services.federation.receiving.pdu_checks import PduChecks
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.graph.events_by_id import TooMuchWork
from myelin.services.rooms.graph.graph_writer import GraphWriter
from myelin.services.rooms.room import Room
from myelin.services.rooms.visibility import Visibility
from myelin.store.graph import GraphStore

_log = structlog.get_logger("myelin.federation")

WAIT_S = 8.0
"""The longest that a reader waits; what is under way goes on, and is there when they ask again."""
PATIENCE_S = 60.0
"""The longest that it goes on."""
TIMEOUT_S = 10.0
ASKED_AT_ONCE = 100
"""Events in one batch."""
MAX_ANSWERED = 500
"""Events of an answer that are looked at: servers may give more than was asked for."""
MAX_MISSING = 20
"""Events that a batch begins with."""
MAX_SERVERS = 5
MAX_BATCHES = 10
"""Batches with nothing to be shown that are fetched before the reader is told that there is nothing."""


class PeerHistory:
    """A source of history: one batch at a time for each room."""

    def __init__(
        self,
        server_name: str,
        rooms: Rooms,
        visibility: Visibility,
        writer: GraphWriter,
        peers: Peers,
        checks: PduChecks,
        judging: Judging,
        fetching: Fetching,
        database: Database,
    ) -> None:
        self._server_name = server_name
        self._rooms = rooms
        self._visibility = visibility
        self._writer = writer
        self._peers = peers
        self._checks = checks
        self._judging = judging
        self._fetching = fetching
        self._gaps = GraphStore(database)
        self._under_way: dict[str, asyncio.Task[bool]] = {}

    async def extend(self, room_id: str) -> bool:
        """Have older events of the room here; False where there are none to be had now."""
        reach = await self._gaps.backward()
        if reach < (await self._visibility.history(room_id)).reach:
            # Somebody may have fetched them since the reader looked.
            await self._visibility.history(room_id, reach)
            return True
        task = self._under_way.get(room_id)
        if task is None:
            task = self._under_way[room_id] = asyncio.get_running_loop().create_task(self._fetch(room_id))
            task.add_done_callback(lambda _: self._under_way.pop(room_id, None))
        try:
            return await asyncio.wait_for(asyncio.shield(task), WAIT_S)
        except TimeoutError:
            return False

    async def close(self) -> None:
        """End what is under way."""
        for task in list(self._under_way.values()):
            task.cancel()
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    async def _fetch(self, room_id: str) -> bool:
        """Fetch until there is something to be shown: a batch may hold nothing but what the rules refuse."""
        asked: list[str] = []
        try:
            async with asyncio.timeout(PATIENCE_S):
                for _ in range(MAX_BATCHES):
                    room = await self._rooms.find(room_id)
                    missing = await self._gaps.missing(room_id, MAX_MISSING)
                    if room is None or not missing or missing == asked or not self._writer.is_live(room):
                        return False
                    asked = missing
                    if await self._fetch_batch(room, missing):
                        return True
        except TimeoutError:
            _log.info("history was not given in time", room_id=room_id)
        return False

    async def _fetch_batch(self, room: Room, missing: list[str]) -> bool:
        """Whether any server gave events that are shown; what nobody gives is asked for last from then on."""
        for server in self._servers(room):
            count = await self._fetch_from(server, room, missing)
            if count is not None:
                return count > 0
        await self._gaps.count_tries(room.room_id, missing)
        return False

    def _servers(self, room: Room) -> list[str]:
        """Those first that answer and have many members in the room."""
        servers = sorted(room.servers, key=lambda name: (self._peers.is_backing_off(name), -room.servers[name]))
        return [name for name in servers if name != self._server_name][:MAX_SERVERS]

    async def _fetch_from(self, server: str, room: Room, missing: list[str]) -> int | None:
        """How many accepted events a server gave; None where it gave none at all."""
        query = [*(("v", event_id) for event_id in missing), ("limit", str(ASKED_AT_ONCE))]
        path = path_of("/_matrix/federation/v1/backfill/{}", room.room_id)
        try:
            answer = await self._peers.get(server, path, query=query, timeout_s=TIMEOUT_S)
            pdus = await self._judged(server, room, answer)
            if not pdus:
                return None
            state = await self._state_before(server, room, pdus[0])
            return await self._writer.backfill(room.room_id, pdus, state)
        except (PeerFailed, CoreError, MatrixError, TooMuchWork) as error:
            _log.info("history was not given", server=server, room_id=room.room_id, error=str(error))
            return None

    async def _judged(self, server: str, room: Room, answer: Any) -> list[Pdu]:
        """The events of an answer, oldest first, those marked that the rules do not allow."""
        raws = answer.get("pdus") if isinstance(answer, dict) else None
        if not isinstance(raws, list):
            return []
        checked = await self._checks.checked(raws[:MAX_ANSWERED], room.version, room.room_id)
        pdus = in_graph_order(checked)
        await self._fetching.auth_events(server, room, pdus)
        judged = {pdu.event_id: pdu for pdu in await self._judging.judged(room, pdus)}
        return [judged[pdu.event_id] for pdu in pdus if pdu.event_id in judged]

    async def _state_before(self, server: str, room: Room, pdu: Pdu) -> StateMap:
        if pdu.type == "m.room.create":
            return {}
        # It differs little from the state before what is here.
        near = await self._writer.start_of(room.room_id)
        return await self._fetching.state_before(server, room, pdu.event_id, near)
