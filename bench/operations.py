"""The operations that are measured, in the order they run in; rooms and users are made through the API."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import orjson

from bench.client import SENTENCE, Client
from bench.federating import fan_out, incoming
from bench.measure import Budget, Work
from bench.pushing import MEMBERS, push
from bench.sliding import SIZES, cold, first_request, moved, nothing_new, one_event_new
from bench.syncing import first_sync_of, incremental_sync
from bench.world import World

SENDERS = 16
SYNCING = 50
LONG_POLL_MS = 30_000
ROOM_HISTORY = 1000
PAGE = 50
COLD_PAGE_ROOMS = 60
MANY = 1_000
"""More rooms of one user are not made one by one on Synapse."""
JOINERS = 20
JOIN_ROOMS = 30
ROOMS = {"first_sync_40": (40, 20), "first_sync_400": (400, 4)}


async def send_sequential(world: World) -> Work:
    """One user sends one message after the other."""
    room_id, (sender,) = await world.shared_room(1)

    async def unit(number: int) -> None:
        await sender.send(room_id, f"{SENTENCE} {number}")

    return Work(unit, warm_up=100)


async def send_at_once(world: World) -> Work:
    """Sixteen users send at the same time, into one room."""
    room_id, senders = await world.shared_room(SENDERS)
    idle = list(senders)

    async def unit(number: int) -> None:
        sender = idle.pop()
        await sender.send(room_id, f"{SENTENCE} {number}")
        idle.append(sender)

    return Work(unit, at_once=SENDERS, warm_up=200)


class Poller:
    """A client that long-polls without pause; the next request is under way before the last answer is read."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._pending: asyncio.Task[bytes] | None = None

    async def begin(self) -> None:
        """Sync up to now, then start to wait."""
        self._poll(await self._client.sync(None))

    def _poll(self, answer: bytes) -> None:
        since = orjson.loads(answer)["next_batch"]
        self._pending = asyncio.create_task(self._client.sync(since, LONG_POLL_MS))

    async def seen(self, marker: bytes) -> float:
        """Wait for the event that carries `marker`; return when its answer came."""
        while self._pending is not None:
            answer = await self._pending
            arrival = time.perf_counter()
            self._poll(answer)
            if marker in answer:
                return arrival
        raise RuntimeError("the client does not poll")

    def close(self) -> None:
        """Stop polling."""
        if self._pending is not None:
            self._pending.cancel()
        self._client.close()


async def deliver(world: World) -> Work:
    """One event reaches fifty clients that long-poll in its room; each delivery counts as one."""
    room_id, clients = await world.shared_room(SYNCING + 1)
    sender, pollers = clients[0], [Poller(client) for client in clients[1:]]
    for poller in pollers:
        await poller.begin()

    async def unit(number: int) -> list[float]:
        marker = f"delivery-{number}-".encode()
        waiting = [asyncio.create_task(poller.seen(marker)) for poller in pollers]
        start = time.perf_counter()
        await sender.send(room_id, f"{marker.decode()} {SENTENCE}")
        return [arrival - start for arrival in await asyncio.gather(*waiting)]

    def close() -> None:
        for poller in pollers:
            poller.close()

    return Work(unit, warm_up=3, close=close)


def first_sync(operation: str, repeats: int) -> Callable[[World], Awaitable[Work]]:
    """Return the operation of a user in many rooms who signs in on a new device and syncs for the first time."""
    rooms, events = ROOMS[operation]

    async def prepare(world: World) -> Work:
        owner, *_ = await world.clients(1)
        reader = await Client.register(world.url, f"reader-{operation}")
        for _ in range(rooms):
            room_id = await owner.create_room("public_chat", name=f"Room for {operation}")
            await reader.join(room_id)
            for number in range(events):
                await owner.send(room_id, f"{SENTENCE} {number}")
        devices = [await reader.new_device() for _ in range(repeats + 1)]

        async def unit(number: int) -> None:
            answer = await devices[number].first_sync()
            if number == 0:
                _check_first_sync(answer, rooms, events)

        return Work(unit, warm_up=1)

    return prepare


def _check_first_sync(answer: bytes, rooms: int, events: int) -> None:
    """Raise unless the answer has all rooms, and in each the messages that were sent: no server saves by omission."""
    joined = orjson.loads(answer)["rooms"]["join"]
    texts = [sum(event["type"] == "m.room.message" for event in room["timeline"]["events"]) for room in joined.values()]
    if len(joined) != rooms or min(texts) != events:
        raise RuntimeError(f"{len(joined)} rooms with {min(texts)} messages or more, not {rooms} with {events}")


async def create_room(world: World) -> Work:
    """One user creates one room after the other."""
    (creator,) = await world.clients(1)

    async def unit(_number: int) -> None:
        await creator.create_room()

    return Work(unit)


async def join(world: World) -> Work:
    """Twenty users join one public room after the other."""
    owner, *joiners = await world.clients(JOINERS + 1)
    rooms = [await owner.create_room("public_chat") for _ in range(JOIN_ROOMS)]

    async def unit(number: int) -> None:
        room, joiner = divmod(number, JOINERS)
        await joiners[joiner].join(rooms[room])

    return Work(unit)


async def messages(world: World) -> Work:
    """One user pages back through a room, fifty events a page."""
    room_id, (reader,) = await world.shared_room(1)
    for number in range(ROOM_HISTORY):
        await reader.send(room_id, f"{SENTENCE} {number}")
    place: list[str | None] = [None]

    async def unit(number: int) -> None:
        page = await reader.messages(room_id, PAGE, place[0])
        if len(page["chunk"]) != PAGE:
            raise RuntimeError(f"a page has {len(page['chunk'])} events, not {PAGE}")
        place[0] = page["end"] if number % (ROOM_HISTORY // PAGE) else None

    return Work(unit)


async def messages_cold(world: World) -> Work:
    """One user reads the last fifty events of one room after the other, right after the server's start."""
    rooms, reader = await world.rooms_with_history(COLD_PAGE_ROOMS, PAGE)
    await world.restart()

    async def unit(number: int) -> None:
        page = await reader.messages(rooms[number], PAGE)
        if len(page["chunk"]) != PAGE:
            raise RuntimeError(f"a page has {len(page['chunk'])} events, not {PAGE}")

    return Work(unit)


async def send_to_crowd(world: World) -> Work:
    """One user sends one message after the other into a room of a thousand."""
    room_id, (sender, *_) = await world.hall(MEMBERS)

    async def unit(number: int) -> None:
        await sender.send(room_id, f"{SENTENCE} {number}")

    return Work(unit)


class Operation(NamedTuple):
    """A measured operation: its label, what Myelin must reach on SQLite (CPU ms), how it is prepared and bounded."""

    label: str
    target_ms: float
    prepare: Callable[[World], Awaitable[Work]]
    budget: Budget
    quick: Budget
    needs_world: bool = False
    """Too much to prepare on Synapse: it is measured only where that was done before (`--worlds`)."""


def _sliding(rooms: int) -> dict[str, Operation]:
    """Return the operations of sliding sync for a user in so many rooms."""
    vast = rooms > MANY
    many, few = (Budget(500, 8), Budget(20, 3)), (Budget(40, 8), Budget(5, 3))
    name, label = f"sliding_{{}}_{rooms}", f"sliding sync, {{}}, {rooms:,} rooms"
    operations = {
        "first": Operation("first request", 10, first_request(rooms), Budget(100, 10), Budget(5, 3), vast),
        "nothing": Operation("nothing new", 0.3, nothing_new(rooms), *many, vast),
        "event": Operation("one event new", 0.6, one_event_new(rooms), *many, vast),
    }
    if rooms >= MANY:
        alone, goal = (Budget(1, 60), Budget(1, 60)), 150 if vast else 30
        operations |= {
            "moved": Operation("window moved by 20", 10, moved(rooms), *few, vast),
            "cold": Operation("first request after a start", goal, cold(rooms, comes_back=False), *alone, vast),
            "back": Operation("with its pos after a start", goal, cold(rooms, comes_back=True), *alone, vast),
        }
    return {name.format(key): o._replace(label=label.format(o.label)) for key, o in operations.items()}


def _syncing(rooms: int, goal: float) -> dict[str, Operation]:
    """Return the operations of `/sync` for a user in so many rooms."""
    vast, repeats = rooms > MANY, 1 if rooms > MANY else 3
    label = f"/sync, {{}}, {rooms:,} rooms of seven events"
    return {
        f"sync_first_{rooms}": Operation(
            label.format("first after a start"),
            goal,
            first_sync_of(rooms, repeats),
            Budget(repeats, 60),
            Budget(1, 60),
            vast,
        ),
        f"sync_event_{rooms}": Operation(
            label.format("one event new"), 0.4, incremental_sync(rooms), Budget(100, 8), Budget(10, 3), vast
        ),
    }


OPERATIONS = {
    "send_sequential": Operation("send, sequential", 0.9, send_sequential, Budget(2000, 10), Budget(150, 3)),
    "send_at_once": Operation("send, 16 at once, one room", 0.6, send_at_once, Budget(5000, 10), Budget(300, 3)),
    "deliver": Operation("deliver one event to one of 50 clients", 0.15, deliver, Budget(200, 20), Budget(10, 3)),
    "create_room": Operation("create room", 3.0, create_room, Budget(300, 10), Budget(30, 3)),
    "join": Operation("join", 1.2, join, Budget(JOINERS * JOIN_ROOMS - 10, 12), Budget(50, 3)),
    "messages": Operation("/messages, 50 events", 0.5, messages, Budget(1500, 8), Budget(100, 3)),
    "first_sync_40": Operation(
        "first sync, 40 rooms", 12, first_sync("first_sync_40", 50), Budget(50, 15), Budget(5, 5)
    ),
    "first_sync_400": Operation(
        "first sync, 400 rooms", 70, first_sync("first_sync_400", 20), Budget(20, 15), Budget(2, 5)
    ),
    "incremental_sync": Operation(
        "/sync, one event new in 40 rooms", 0.4, incremental_sync(40), Budget(200, 10), Budget(10, 3)
    ),
    "messages_cold": Operation(
        "/messages, 50 events, a room not in memory",
        2.0,
        messages_cold,
        Budget(COLD_PAGE_ROOMS - 10, 15),
        Budget(10, 3),
    ),
    **_syncing(1_000, 200),
    **_syncing(10_000, 2_000),
    **{name: operation for rooms in SIZES for name, operation in _sliding(rooms).items()},
    "fan_out": Operation("send one event to one of 100 servers", 1.0, fan_out, Budget(30, 30), Budget(3, 15)),
    "incoming": Operation("take in one event of 50 in a transaction", 1.0, incoming, Budget(60, 30), Budget(3, 15)),
    "send_to_crowd": Operation("send into a room of 1,000", 0.9, send_to_crowd, Budget(500, 8), Budget(50, 3)),
    "push": Operation("notify one of 1,000 members", 0.6, push, Budget(10, 60), Budget(2, 20)),
}
