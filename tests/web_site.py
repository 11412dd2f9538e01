"""A web site on loopback that counts what it is asked."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

from aiohttp import web


class Site:
    """Answers each path with what was put there."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: Counter[str] = Counter()
        self.headers: dict[str, str] = {}
        self.hold: asyncio.Event | None = None
        """Requests wait for this before they are answered."""
        self._answers: dict[str, Callable[[], web.StreamResponse]] = {}

    def put(self, path: str, body: bytes | str = b"", content_type: str = "text/html", **options: Any) -> str:
        """Answer a path; its URL."""
        headers = {"Content-Type": content_type, **options.pop("headers", {})}
        data = body.encode() if isinstance(body, str) else body
        self._answers[path] = lambda: web.Response(body=data, headers=headers, **options)
        return self.url + path

    def redirect(self, path: str, location: str, status: int = 302) -> str:
        """Lead a path elsewhere; its URL."""
        self._answers[path] = lambda: web.Response(status=status, headers={"Location": location})
        return self.url + path

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        self.asked[request.path] += 1
        self.headers = dict(request.headers)
        if self.hold is not None:
            await self.hold.wait()
        answer = self._answers.get(request.path)
        return answer() if answer is not None else web.Response(status=404)


@contextlib.asynccontextmanager
async def web_site(address: str = "127.0.0.1", port: int = 0) -> AsyncIterator[Site]:
    """A site for the time of the block."""
    site = Site()
    runner = web.ServerRunner(web.Server(site.handle, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, address, port).start()
    site.url = f"http://{address}:{runner.addresses[0][1]}"
    try:
        yield site
    finally:
        if site.hold is not None:
            site.hold.set()
        await runner.cleanup()
