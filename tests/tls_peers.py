"""Servers on loopback with certificates of the tests' authority, and names that lead to them."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import trustme
from aiohttp import web
from aiohttp.abc import ResolveResult

from myelin.http.https_client import HttpsClient
from myelin.http.ssrf import AddressGuard, GuardedResolver

Handle = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@dataclass
class Seen:
    """What a server saw of one request."""

    method: str
    path: str
    host: str
    sni: str | None
    headers: dict[str, str]
    body: bytes


@dataclass
class TlsPeer:
    """A server that listens."""

    port: int
    seen: list[Seen] = field(default_factory=list)


class Dns(GuardedResolver):
    """Names that the tests know; whatever host and port is asked for, it may be led to another port."""

    def __init__(self, guard: AddressGuard):
        super().__init__(guard)
        self.addresses: dict[str, list[str]] = {}
        self.ports: dict[tuple[str, int], int] = {}

    def lead(self, host: str, port: int, peer: TlsPeer) -> None:
        """The host's port is the peer's."""
        self.addresses[host] = ["127.0.0.1"]
        self.ports[host, port] = peer.port

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
        found = await super().resolve(host, port, family)
        return [{**entry, "port": self.ports.get((host, port), port)} for entry in found]

    async def _look_up(self, host: str, port: int, family: Any) -> Sequence[Any]:
        if host not in self.addresses:
            raise OSError(f"no such host: {host}")
        return [(2, 1, 6, "", (address, port)) for address in self.addresses[host]]


class Ground:
    """An authority, names, and a client that trusts the one and asks the others."""

    def __init__(self, folder: Path, *, deny_private: bool = False):
        self.authority = trustme.CA()
        self._file = folder / "authority.pem"
        self.authority.cert_pem.write_to_path(str(self._file))
        guard = AddressGuard(deny_private=deny_private)
        self.dns = Dns(guard)
        self.client = HttpsClient(
            guard, user_agent="test", limit_per_host=4, extra_ca=str(self._file), resolver=self.dns
        )

    def forget_addresses(self) -> None:
        """Have names looked up anew."""
        self.client.forget_addresses()

    @contextlib.asynccontextmanager
    async def peer(self, handle: Handle, *names: str) -> AsyncIterator[TlsPeer]:
        """A server whose certificate is for these names, while the block lasts."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert(*(names or ("127.0.0.1",))).configure_cert(context)
        wanted: list[str | None] = [None]

        def note(_: object, name: str | None, __: object) -> None:
            wanted[0] = name

        context.sni_callback = note
        peer = TlsPeer(0)

        async def seeing(request: web.BaseRequest) -> web.StreamResponse:
            body = await request.read()
            host = request.headers.get("Host", "")
            peer.seen.append(Seen(request.method, request.path_qs, host, wanted[0], dict(request.headers), body))
            return await handle(request)

        runner = web.ServerRunner(web.Server(seeing, access_log=None), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        peer.port = runner.addresses[0][1]
        try:
            yield peer
        finally:
            await runner.cleanup()


@contextlib.asynccontextmanager
async def open_ground(folder: Path, **options: Any) -> AsyncIterator[Ground]:
    """A ground for the time of the block."""
    ground = Ground(folder, **options)
    yield ground
    await ground.client.close()
    await asyncio.sleep(0)


def answering(value: Any = None, status: int = 200, body: bytes | None = None, **headers: str) -> Handle:
    """Always the same answer: JSON, or bytes."""
    data = orjson.dumps(value) if body is None else body
    fields = {name.replace("_", "-"): text for name, text in headers.items()}

    async def handle(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=status, body=data, headers=fields)

    return handle


async def hang(_: web.BaseRequest) -> web.StreamResponse:
    """Never answer."""
    await asyncio.Event().wait()
    raise AssertionError


async def trickle(request: web.BaseRequest) -> web.StreamResponse:
    """Answer a byte at a time, without end."""
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b" ")
        await asyncio.sleep(0.02)
