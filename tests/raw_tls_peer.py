"""A TLS server that writes bytes as a test wants them, whatever HTTP says of them."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from tls_peers import Ground

Act = Callable[["Visit"], Awaitable[None]]


@dataclass
class Visit:
    """One connection."""

    number: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    requests: list[bytes]

    async def request(self) -> bytes:
        """The next request, whole. Raises IncompleteReadError where the other side hangs up."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = next(
            (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
        )
        self.requests.append(head + await self.reader.readexactly(length))
        return self.requests[-1]

    async def say(self, data: bytes) -> None:
        """Write bytes as they are."""
        self.writer.write(data)
        await self.writer.drain()

    async def is_left(self) -> bool:
        """Wait until the other side has hung up; whether it said nothing more."""
        try:
            return await self.reader.read(1) == b""
        except ConnectionError:
            return True


@dataclass
class RawPeer:
    """What came in, over all connections."""

    port: int = 0
    visits: list[Visit] = field(default_factory=list)
    requests: list[bytes] = field(default_factory=list)


@contextlib.asynccontextmanager
async def raw_peer(ground: Ground, act: Act, name: str = "name.test") -> AsyncIterator[RawPeer]:
    """A server that does `act` on each connection, which ends with it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ground.authority.issue_cert(name).configure_cert(context)
    peer = RawPeer()
    tasks: set[asyncio.Task[None]] = set()

    async def visited(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        visit = Visit(len(peer.visits), reader, writer, peer.requests)
        peer.visits.append(visit)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await act(visit)
        finally:
            writer.transport.abort()
            tasks.discard(task)

    server = await asyncio.start_server(visited, "127.0.0.1", 0, ssl=context)
    peer.port = server.sockets[0].getsockname()[1]
    ground.dns.addresses[name] = ["127.0.0.1"]
    ground.dns.ports[name, 443] = peer.port
    try:
        yield peer
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


def always(answer: bytes) -> Act:
    """Answer every request with the same bytes, and wait for the next one."""

    async def act(visit: Visit) -> None:
        while True:
            await visit.request()
            await visit.say(answer)

    return act
