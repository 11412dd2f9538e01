"""Listening sockets: aiohttp's low-level server with our own routing."""

import ssl
from collections.abc import Awaitable, Callable
from typing import Protocol, cast

from aiohttp import web

from myelin.http.json_answer import Answer

BACKLOG = 1024
_AiohttpHandler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Handler(Protocol):
    """Answers requests."""

    async def handle(self, raw: web.BaseRequest) -> Answer:
        """Answer one request."""
        ...


class Listener:
    """The public addresses of this process."""

    def __init__(self, handler: Handler, *, keepalive_s: float, shutdown_s: float) -> None:
        self._server = web.Server(
            cast("_AiohttpHandler", handler.handle), keepalive_timeout=keepalive_s, access_log=None
        )
        self._runner = web.ServerRunner(self._server, shutdown_timeout=shutdown_s)
        self._sites: list[web.TCPSite] = []

    async def listen(self, address: str, tls: ssl.SSLContext | None = None) -> tuple[str, int]:
        """Open `HOST:PORT` (port 0: any free one), for HTTPS if there is `tls`; the address it got. Raises OSError."""
        if self._runner.server is None:
            await self._runner.setup()
        host, _, port = address.rpartition(":")
        site = web.TCPSite(self._runner, host.strip("[]") or None, int(port), backlog=BACKLOG, ssl_context=tls)
        await site.start()
        self._sites.append(site)
        found = self._runner.addresses[-1]
        return found[0], found[1]

    async def close(self) -> None:
        """Stop accepting, let running requests end within the shutdown time, close."""
        await self._runner.cleanup()
