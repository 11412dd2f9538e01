"""Other servers as a script in the test's own process: they take transactions, fail, or refuse them."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import orjson

from inprocess import SERVER_NAME
from myelin.bus.news import EventForwarded
from myelin.db.committer import Committer, Write
from myelin.db.connection import Database, DatabaseError
from myelin.services.federation.peers.errors import PeerUnreachable
from myelin.services.federation.sending.backlog import Backlog
from myelin.services.federation.sending.heard import LogReading
from myelin.services.federation.sending.ledger import Ledger
from myelin.services.federation.sending.outgoing_queue import OutgoingQueue
from myelin.services.federation.sending.ports import LogFollowers
from myelin.services.federation.sending.room_servers import RoomServers
from myelin.services.federation.sending.transmissions import Transmissions
from myelin.services.rooms.cache import Rooms
from myelin.store.destinations import put_forwarded_event
from myelin.telemetry.ambient import Clock, SystemClock
from myelin.telemetry.metrics import Figures
from polling import until
from room_house import House, room_house


class Taken:
    """A transaction that a server took."""

    def __init__(self, server_name: str, transaction_id: str, body: dict[str, Any]) -> None:
        self.server_name = server_name
        self.transaction_id = transaction_id
        self.body = body

    @property
    def texts(self) -> list[str]:
        """The bodies of its messages, or else the types of its events."""
        return [pdu["content"].get("body", pdu["type"]) for pdu in self.body["pdus"]]


Script = Callable[[Taken], Any]
"""May raise, or return something to wait for."""


async def send_on(committer: Committer, room_id: str, event_id: str, origin: str) -> None:
    """Have an event of another server sent on."""
    await committer.commit(
        Write(
            lambda position: [put_forwarded_event(position, room_id, event_id, origin)],
            news=[EventForwarded(room_id, event_id, origin)],
        )
    )


class ScriptedPeers:
    """All other servers."""

    def __init__(self) -> None:
        self.tried: list[Taken] = []
        self.taken: defaultdict[str, list[Taken]] = defaultdict(list)
        self.scripts: dict[str, Script] = {}
        self.backing_off: set[str] = set()
        self.under_way: defaultdict[str, int] = defaultdict(int)
        self.most_at_once = 0
        self.answers: dict[tuple[str, str], Any] = {}
        """What is answered to a GET or POST, by server and path; an exception is raised, a function is called."""
        self.asked: list[tuple[str, str, Any]] = []

    async def put(self, server_name: str, path: str, body: Any, **_: Any) -> Any:
        transaction = Taken(server_name, path.rpartition("/")[2], orjson.loads(body))
        self.tried.append(transaction)
        self.under_way[server_name] += 1
        self.most_at_once = max(self.most_at_once, self.under_way[server_name])
        try:
            await asyncio.sleep(0)
            script = self.scripts.get(server_name)
            if script is not None:
                waits = script(transaction)
                if waits is not None:
                    await waits
        finally:
            self.under_way[server_name] -= 1
        self.taken[server_name].append(transaction)
        return {"pdus": {}}

    async def get(self, server_name: str, path: str, **_: Any) -> Any:
        return await self._answer(server_name, path, None)

    async def post(self, server_name: str, path: str, body: Any, **_: Any) -> Any:
        return await self._answer(server_name, path, body)

    async def _answer(self, server_name: str, path: str, body: Any) -> Any:
        await asyncio.sleep(0)
        self.asked.append((server_name, path, body))
        answer = self.answers.get((server_name, path), PeerUnreachable("nobody answers"))
        if callable(answer):
            answer = answer(body)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def is_backing_off(self, server_name: str) -> bool:
        return server_name in self.backing_off

    async def note_failure(self, server_name: str) -> None:
        pass

    def texts(self, server_name: str) -> list[str]:
        """All messages that a server took, in order."""
        return [text for transaction in self.taken[server_name] for text in transaction.texts]

    def edus(self, server_name: str, edu_type: str) -> list[Any]:
        """The contents of all EDUs of a type that a server took, in order."""
        return [e["content"] for t in self.taken[server_name] for e in t.body["edus"] if e["edu_type"] == edu_type]

    async def until(self, holds: Callable[[], Any]) -> None:
        """Wait until something holds."""
        await until(holds)


class Sender:
    """One process that may send: everything above the database is its own."""

    _ids = 0

    def __init__(self, house: House, peers: ScriptedPeers, clock: Clock, name: str) -> None:
        ground, rooms = house.ground, house.services[Rooms]
        database: Database = ground.database
        self.peers = peers
        self.followers = LogFollowers()
        self.ledger = Ledger(database, ground.committer, name, clock)
        servers = RoomServers(database)
        backlog = Backlog(SERVER_NAME, database, servers)
        self.transmissions = Transmissions(
            SERVER_NAME, peers, self.ledger, backlog, lambda: self.queue.reached(), self._next_id, clock, Figures()
        )
        self.queue = OutgoingQueue(
            SERVER_NAME,
            ground.feed,
            database,
            ground.committer,
            rooms,
            self.ledger,
            self.transmissions,
            LogReading(SERVER_NAME, database, servers, backlog),
            self.followers,
            clock,
        )
        self.task: asyncio.Task[None] | None = None

    @classmethod
    def _next_id(cls) -> str:
        cls._ids += 1
        return f"t{cls._ids}"

    async def start(self) -> None:
        """Run until it leads, or is stopped."""
        self.task = asyncio.get_running_loop().create_task(self.queue.run())
        await self.peers.until(lambda: self.queue.is_leading and not self.queue.is_busy)

    async def stop(self) -> None:
        """End in order."""
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
            self.task = None

    async def crash(self) -> None:
        """End without writing anything more."""
        self.ledger._commit = _fails  # type: ignore[method-assign]
        await self.stop()


async def _fails(_: Any) -> Any:
    return DatabaseError("the process is dead")


@contextlib.asynccontextmanager
async def sending_house(
    folder: Path, url: str = "", *, clock: Clock | None = None, start: bool = True
) -> AsyncIterator[tuple[House, ScriptedPeers, Sender]]:
    """The room engine, all other servers, and a process that sends to them."""
    async with room_house(folder, url) as house:
        peers = ScriptedPeers()
        sender = Sender(house, peers, clock or SystemClock(), "one")
        if start:
            await sender.start()
        try:
            yield house, peers, sender
        finally:
            await sender.stop()
