"""Listening sockets: aiohttp's low-level server with our own routing."""

import ssl
from collections.abc import Awaitable, Callable
from typing import Protocol, cast

from aiohttp import web

from myelin.http.json_answer import Answer
from myelin.http.request import WAITING_TASK

BACKLOG = 1024
_AiohttpHandler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Handler(Protocol):
    """Answers requests."""

    async def handle(self, raw: web.BaseRequest) -> Answer:
        """Answer one request."""
        ...


class _Server(web.Server):
    """aiohttp lets the answers to clients that have gone be finished, as is right for writes: but not long polls."""

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        request = handler._current_request  # noqa: SLF001  (there is no public way to learn which request it was)
        task = request.get(WAITING_TASK) if request is not None else None
        if task is not None:
            task.cancel()


class Listener:
    """The public addresses of this process."""

    def __init__(self, handler: Handler, *, keepalive_s: float, shutdown_s: float) -> None:
        self._server = _Server(cast("_AiohttpHandler", handler.handle), keepalive_timeout=keepalive_s, access_log=None)
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
