"""A push gateway on loopback that notes what it is sent."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from aiohttp import web

from inprocess import Client
from polling import until

PATH = "/_matrix/push/v1/notify"


class Gateway:
    """Answers with `status` and the `rejected` keys."""

    def __init__(self) -> None:
        self.status = 200
        self.rejected: list[str] = []
        self.received: list[dict[str, Any]] = []
        self.attempts = 0
        self.hold: asyncio.Event | None = None
        """Requests wait for this before they are answered."""
        self.redirect_to = ""
        self.url = ""

    @property
    def events(self) -> list[str]:
        """IDs of the events of notifications, in the order in which they came."""
        return [n["event_id"] for n in self.received if "event_id" in n]

    async def until(self, condition: Callable[["Gateway"], bool]) -> None:
        """Wait until something holds of what was received."""
        try:
            await until(lambda: condition(self))
        except TimeoutError:
            raise AssertionError(f"never seen; received so far: {self.received}") from None

    async def next(self, count: int = 1) -> dict[str, Any]:
        """The `count`th notification of all."""
        await self.until(lambda gateway: len(gateway.received) >= count)
        return self.received[count - 1]

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Take one notification."""
        self.attempts += 1
        body = await request.read()
        if self.hold is not None:
            await self.hold.wait()
        if self.redirect_to:
            return web.Response(status=307, headers={"Location": self.redirect_to})
        if self.status != 200:
            return web.Response(status=self.status)
        import orjson

        self.received.append(orjson.loads(body)["notification"])
        return web.json_response({"rejected": self.rejected})


@contextlib.asynccontextmanager
async def push_gateway() -> AsyncIterator[Gateway]:
    """A gateway for the time of the block."""
    gateway = Gateway()
    runner = web.ServerRunner(web.Server(gateway.handle, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    gateway.url = f"http://127.0.0.1:{runner.addresses[0][1]}{PATH}"
    try:
        yield gateway
    finally:
        if gateway.hold is not None:
            gateway.hold.set()
        await runner.cleanup()


def pusher(url: str, pushkey: str = "key", **fields: Any) -> dict[str, Any]:
    """A pusher as a client sets it."""
    data = {"url": url, **fields.pop("data", {})}
    return {
        "kind": "http",
        "app_id": "org.example.app",
        "pushkey": pushkey,
        "app_display_name": "App",
        "device_display_name": "Phone",
        "lang": "en",
        "data": data,
        **fields,
    }


async def set_pusher(client: Client, gateway: Gateway, pushkey: str = "key", **fields: Any) -> None:
    """Have a client's user notified through the gateway."""
    await client.post("pushers/set", pusher(gateway.url, pushkey, **fields))
