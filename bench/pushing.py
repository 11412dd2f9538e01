"""Push: a message in a large room, whose members all have a phone; the gateway is the load generator itself."""

import asyncio
import time

from aiohttp import web

from bench.client import CLIENT, SENTENCE
from bench.measure import Work
from bench.world import World

MEMBERS = 1_000
DEADLINE_SECONDS = 120


class Gateway:
    """Takes notifications and counts them."""

    def __init__(self) -> None:
        self.url = ""
        self.arrivals: list[float] = []
        self._expected = 0
        self._complete = asyncio.Event()
        self._runner = web.ServerRunner(web.Server(self._take))
        self._closing: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Listen on a free port."""
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}/_matrix/push/v1/notify"

    def expect(self, count: int) -> None:
        """Begin to count anew."""
        self.arrivals, self._expected = [], count
        self._complete.clear()

    async def complete(self) -> None:
        """Wait for all that are expected."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            await self._complete.wait()

    def close(self) -> None:
        """Stop listening."""
        self._closing = asyncio.create_task(self._runner.cleanup())

    async def _take(self, request: web.BaseRequest) -> web.StreamResponse:
        if b'"event_id"' in await request.read():
            self.arrivals.append(time.perf_counter())
            if len(self.arrivals) == self._expected:
                self._complete.set()
        return web.Response(body=b'{"rejected":[]}', content_type="application/json")


async def push(world: World) -> Work:
    """One message notifies each other member of its room; each notification counts as one."""
    gateway = Gateway()
    await gateway.open()
    room_id, (sender, *members) = await world.hall(MEMBERS)
    for member in members:
        pusher = {"kind": "http", "app_id": "bench", "pushkey": member.name, "lang": "en", "data": {"url": gateway.url}}
        names = {"app_display_name": "Bench", "device_display_name": member.name}
        await member.connection.json("POST", f"{CLIENT}/pushers/set", {**pusher, **names})

    async def unit(number: int) -> list[float]:
        gateway.expect(len(members))
        start = time.perf_counter()
        await sender.send(room_id, f"{SENTENCE} {number}")
        await gateway.complete()
        return [arrival - start for arrival in gateway.arrivals]

    return Work(unit, warm_up=1, close=gateway.close)
