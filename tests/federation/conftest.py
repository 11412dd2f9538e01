"""The servers that federate: started once for a run where a test does not stop them, and new ones where it does."""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from federation.authority import Authority
from federation.gate import Gate
from federation.member import Member
from federation.resident import Resident
from federation.servers import Homeserver, MyelinServer, SynapseServer

Starter = Callable[..., "AsyncIterator[Homeserver]"]
DIRECTIONS = tuple(os.environ.get("FEDERATION_SIDES", "myelin-synapse synapse-myelin myelin-second").split())
"""On which server the room is, and which one joins it. "synapse-other" shows whether a scene itself is right."""


@dataclass(frozen=True)
class Side:
    """A server, and the session in which this test speaks to it."""

    server: Homeserver
    session: aiohttp.ClientSession

    async def user(self, name: str) -> Member:
        """A new user of this server."""
        return await self.server.register(self.session, name)


@dataclass(frozen=True)
class Sides:
    """The server where rooms are made, and the one that joins them."""

    host: Side
    guest: Side


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The authority whose certificates all servers of this run have."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def myelin_server(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> AsyncIterator[MyelinServer]:
    """A Myelin that no test stops."""
    server = MyelinServer(tmp_path_factory.mktemp("myelin"), authority)
    await server.start()
    yield server
    await server.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def second_server(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> AsyncIterator[MyelinServer]:
    """Another Myelin that no test stops; its name is an address."""
    server = MyelinServer(tmp_path_factory.mktemp("second"), authority, host="127.0.0.1")
    await server.start()
    yield server
    await server.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def synapse_server(
    tmp_path_factory: pytest.TempPathFactory, authority: Authority
) -> AsyncIterator[SynapseServer]:
    """A Synapse that no test stops."""
    server = SynapseServer(tmp_path_factory.mktemp("synapse"), authority)
    await server.start()
    yield server
    await server.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def other_server(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> AsyncIterator[SynapseServer]:
    """Another Synapse, to test scenes without Myelin."""
    server = SynapseServer(tmp_path_factory.mktemp("other"), authority, host="localhost")
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """HTTP for the clients of one test."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as opened:
        yield opened


@pytest.fixture
async def resident(authority: Authority) -> AsyncIterator[Resident]:
    """A scripted server."""
    async with Resident(authority) as running:
        yield running


@pytest.fixture(params=DIRECTIONS)
def sides(request: pytest.FixtureRequest, session: aiohttp.ClientSession) -> Iterator[Sides]:
    """Two servers that federate, in each direction; what they printed is shown if the test fails."""
    host, guest = (request.getfixturevalue(f"{name}_server") for name in request.param.split("-"))
    before = {server: len(server.log) for server in (host, guest)}
    yield Sides(Side(host, session), Side(guest, session))
    for server, length in before.items():
        print(f"--- {server.kind} {server.server_name}\n{server.log[length:][-6000:]}")


@pytest.fixture
async def started(tmp_path: Path, authority: Authority) -> AsyncIterator[Callable[[str], object]]:
    """Starts servers of this test's own: `await started("myelin", "a")`; they are stopped at its end."""
    async with AsyncExitStack() as stack:

        async def start(kind: str, name: str) -> Homeserver:
            made = {"myelin": MyelinServer, "synapse": SynapseServer}[kind](tmp_path / name, authority)
            await made.start()
            stack.push_async_callback(_end, made)
            return made

        yield start


@pytest.fixture
async def started_behind_gate(tmp_path: Path, authority: Authority) -> AsyncIterator[Callable[[str, str], object]]:
    """Like `started`, each server with a gate that can be shut to keep others' requests from it."""
    async with AsyncExitStack() as stack:

        async def start(kind: str, name: str) -> tuple[Homeserver, Gate]:
            gate = Gate()
            kinds = {"myelin": MyelinServer, "synapse": SynapseServer}
            made = kinds[kind](tmp_path / name, authority, door=gate.port)
            gate.target = made.tls_port
            await made.start()
            stack.push_async_callback(_end, made)
            await gate.open()
            stack.push_async_callback(gate.shut)
            return made, gate

        yield start


async def _end(server: Homeserver) -> None:
    print(f"--- {server.kind} {server.server_name}\n{server.log[-6000:]}")
    server.kill()
