"""Federation: the load generator is a hundred other servers, each with a member in a room of the one under measure."""

import asyncio
import itertools
import ssl
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import aiohttp
import orjson
from aiohttp import web

from bench.client import SENTENCE
from bench.measure import Work
from bench.servers import ROOM_VERSION, SERVER_NAME
from bench.world import World
from federation.authority import Authority
from myelin.matrix.events.hashes import event_id_of
from myelin.matrix.events.signatures import sign_event
from myelin.matrix.room_versions import ROOM_VERSIONS
from myelin.matrix.signing import SigningKey, sign_json
from myelin.services.federation.peers.signed_requests import sign_request

DESTINATIONS = 100
JOINING = 8
"""Servers that join at a time."""
ROOMS = 20
PDUS = 50
DEADLINE_SECONDS = 120
VALID_FOR_MS = 86_400_000
KEY = SigningKey.from_seed("bench", b"b" * 32)
VERSION = ROOM_VERSIONS[ROOM_VERSION]
MESSAGE = SENTENCE.encode()


class Neighbour:
    """Another server, as far as it asks something."""

    def __init__(self, name: str, url: str, session: aiohttp.ClientSession) -> None:
        self.name = name
        self.user_id = f"@member:{name}"
        self._url = url
        self._session = session
        self._transactions = itertools.count()

    async def request(self, method: str, path: str, body: Any = None) -> Any:
        """A signed request to the server under measure; the JSON of a 200."""
        target = f"/_matrix/federation/{path}"
        content = None if body is None else orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
        headers = {"Authorization": sign_request(KEY, method, target, self.name, SERVER_NAME, content)}
        url = aiohttp.client.URL(self._url + target, encoded=True)
        async with self._session.request(method, url, data=content, headers=headers) as response:
            answer = await response.read()
            if response.status != 200:
                raise RuntimeError(f"{method} {target}: {response.status} {answer[:500]!r}")
            return orjson.loads(answer)

    async def join(self, room_id: str) -> tuple[str, list[str]]:
        """Join a room; the join's ID, and those of the events that authorize what the member says."""
        place = f"{quote(room_id, safe='')}/{quote(self.user_id, safe='')}"
        template = (await self.request("GET", f"v1/make_join/{place}?ver={ROOM_VERSION}"))["event"]
        join = self.signed({**template, "origin_server_ts": int(time.time() * 1000)})
        event_id = event_id_of(join, VERSION)
        answer = await self.request("PUT", f"v2/send_join/{quote(room_id, safe='')}/{quote(event_id, safe='')}", join)
        state = {event["type"]: event_id_of(event, VERSION) for event in answer["state"]}
        return event_id, [state["m.room.power_levels"], event_id]

    async def send(self, pdus: Sequence[Any]) -> None:
        """Send a transaction in which every event is to be taken."""
        body = {"origin": self.name, "origin_server_ts": int(time.time() * 1000), "pdus": pdus, "edus": []}
        answer = await self.request("PUT", f"v1/send/t{next(self._transactions)}", body)
        if len(answer["pdus"]) != len(pdus) or any(answer["pdus"].values()):
            raise RuntimeError(f"not all events were taken: {answer}")

    def signed(self, event: dict[str, Any]) -> dict[str, Any]:
        """An event of this server."""
        bare = {key: value for key, value in event.items() if key not in ("signatures", "hashes", "unsigned", "origin")}
        return sign_event(bare, VERSION, self.name, KEY)


class Neighbourhood:
    """A hundred servers behind as many TLS ports; they take what they are sent, and count the messages in it."""

    def __init__(self, authority: Authority, url: str) -> None:
        self.neighbours: list[Neighbour] = []
        self.arrivals: list[float] = []
        self._expected = 0
        self._complete = asyncio.Event()
        self._url = url
        self._identity = authority.identity()
        self._runner = web.ServerRunner(web.Server(self._answer))
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=JOINING))
        self._closing: asyncio.Task[None] | None = None

    async def open(self, count: int) -> None:
        """Listen on so many ports."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self._identity.certificate, self._identity.private_key)
        await self._runner.setup()
        for _ in range(count):
            await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=context).start()
        self.neighbours = [
            Neighbour(f"127.0.0.1:{address[1]}", self._url, self._session) for address in self._runner.addresses
        ]

    async def join(self, room_id: str) -> None:
        """Have a member of each in a room."""
        left = iter(self.neighbours)

        async def some() -> None:
            for neighbour in left:
                await neighbour.join(room_id)

        await asyncio.gather(*(some() for _ in range(JOINING)))

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
        self._closing = asyncio.create_task(self._close())

    async def _close(self) -> None:
        await self._session.close()
        await self._runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        if request.path.startswith("/_matrix/federation/v1/send/"):
            self.arrivals += [time.perf_counter()] * body.count(MESSAGE)
            if len(self.arrivals) >= self._expected:
                self._complete.set()
            return _json({"pdus": {}})
        if request.path == "/_matrix/key/v2/server":
            return _json(_keys(request.host))
        return web.Response(status=404, body=b'{"errcode":"M_NOT_FOUND"}', content_type="application/json")


def _json(value: Any) -> web.Response:
    return web.Response(body=orjson.dumps(value), content_type="application/json")


def _keys(server_name: str) -> dict[str, Any]:
    keys = {
        "server_name": server_name,
        "valid_until_ts": int(time.time() * 1000) + VALID_FOR_MS,
        "verify_keys": {KEY.key_id: {"key": KEY.verify_key.to_base64()}},
        "old_verify_keys": {},
    }
    return sign_json(keys, server_name, KEY)


async def fan_out(world: World) -> Work:
    """One message goes to a hundred servers; each that takes it counts as one."""
    there = Neighbourhood(world.authority, world.url)
    await there.open(DESTINATIONS)
    room_id, (sender,) = await world.shared_room(1)
    await there.join(room_id)

    async def unit(number: int) -> list[float]:
        there.expect(DESTINATIONS)
        start = time.perf_counter()
        await sender.send(room_id, f"{SENTENCE} {number}")
        await there.complete()
        return [arrival - start for arrival in there.arrivals]

    return Work(unit, warm_up=3, close=there.close)


class _Branch:
    """What a neighbour says in a room: each event hangs on the one before."""

    def __init__(self, neighbour: Neighbour, room_id: str, last: str, auth_events: list[str]) -> None:
        self._neighbour = neighbour
        self._room_id = room_id
        self._last = last
        self._auth_events = auth_events
        self._depth = 10

    def say(self, text: str) -> dict[str, Any]:
        """The next message."""
        self._depth += 1
        event = self._neighbour.signed(
            {
                "room_id": self._room_id,
                "sender": self._neighbour.user_id,
                "type": "m.room.message",
                "content": {"msgtype": "m.text", "body": text},
                "origin_server_ts": int(time.time() * 1000),
                "depth": self._depth,
                "prev_events": [self._last],
                "auth_events": self._auth_events,
            }
        )
        self._last = event_id_of(event, VERSION)
        return event


async def incoming(world: World) -> Work:
    """Another server sends transactions of fifty messages, over twenty rooms; each message counts as one."""
    there = Neighbourhood(world.authority, world.url)
    await there.open(1)
    (neighbour,) = there.neighbours
    branches = []
    for _ in range(ROOMS):
        room_id, _ = await world.shared_room(1)
        branches.append(_Branch(neighbour, room_id, *await neighbour.join(room_id)))

    async def unit(number: int) -> list[float]:
        pdus = [branches[i % ROOMS].say(f"{SENTENCE} {number} {i}") for i in range(PDUS)]
        start = time.perf_counter()
        await neighbour.send(pdus)
        return [time.perf_counter() - start] * PDUS

    return Work(unit, warm_up=2, close=there.close)
