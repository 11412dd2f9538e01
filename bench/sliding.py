"""Simplified sliding sync as Element X uses it: a window of twenty rooms on all that the user has."""

import time
from collections.abc import Awaitable, Callable

import orjson

from bench.client import SENTENCE, Client
from bench.measure import Work
from bench.world import World

SIZES = (10, 1_000, 10_000)
CONNECTIONS = 10
WINDOW = 20
PATH = "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync"
REQUIRED_STATE = [
    ["m.room.name", ""],
    ["m.room.avatar", ""],
    ["m.room.encryption", ""],
    ["m.room.create", ""],
    ["m.room.member", "$ME"],
    ["m.room.member", "$LAZY"],
]
EXTENSIONS = {name: {"enabled": True} for name in ("to_device", "e2ee", "account_data", "receipts", "typing")}

Prepare = Callable[[World], Awaitable[Work]]


class Slider:
    """A connection of a client."""

    def __init__(self, client: Client, name: str) -> None:
        self._client = client
        self._name = name
        self._pos = ""
        self.look_at(0)

    def look_at(self, first: int) -> None:
        """Have the window begin with a room, counted from the one that was active last."""
        rooms = {"ranges": [[first, first + WINDOW - 1]], "timeline_limit": 1, "required_state": REQUIRED_STATE}
        filters = {"is_invite": False, "not_room_types": ["m.space"]}
        body = {"conn_id": self._name, "lists": {"all": {**rooms, "filters": filters}}, "extensions": EXTENSIONS}
        self._body = orjson.dumps(body)

    async def request(self) -> bytes:
        """Ask what is new, without waiting for it."""
        place = f"&pos={self._pos}" if self._pos else ""
        answer = await self._client.connection.raw("POST", f"{PATH}?timeout=0{place}", self._body)
        self._pos = orjson.loads(answer)["pos"]
        return answer


def first_request(rooms: int) -> Prepare:
    """Return the operation of a client that begins a connection."""

    async def prepare(world: World) -> Work:
        owner = await world.user_in_rooms(rooms)

        async def unit(number: int) -> None:
            answer = await Slider(owner, f"first-{number}").request()
            if number == 0:
                _check(answer, rooms)

        return Work(unit, warm_up=2)

    return prepare


def cold(rooms: int, *, comes_back: bool) -> Prepare:
    """Return the operation of the first client of a server that has just started, new or with the place it had."""

    async def prepare(world: World) -> Work:
        slider = Slider(await world.user_in_rooms(rooms), "cold")
        if comes_back:
            await slider.request()
        # Another user's request has all that is not theirs ready.
        other = Slider(await world.user_in_rooms(SIZES[0]), "other")
        await world.restart()
        await other.request()

        async def unit(_number: int) -> None:
            await slider.request()

        return Work(unit, warm_up=0)

    return prepare


def moved(rooms: int) -> Prepare:
    """Return the operation of a client whose window moves on to the next twenty rooms."""

    async def prepare(world: World) -> Work:
        slider = Slider(await world.user_in_rooms(rooms), "moved")
        await slider.request()

        async def unit(number: int) -> None:
            slider.look_at((number + 1) * WINDOW % rooms)
            answer = orjson.loads(await slider.request())
            if len(answer["rooms"]) != WINDOW:
                raise RuntimeError(f"{len(answer['rooms'])} rooms shown, not {WINDOW}")

        return Work(unit, warm_up=2)

    return prepare


def nothing_new(rooms: int) -> Prepare:
    """Return the operation of a client that asks again when nothing has happened."""

    async def prepare(world: World) -> Work:
        slider = Slider(await world.user_in_rooms(rooms), "nothing")
        await slider.request()

        async def unit(_number: int) -> None:
            await slider.request()

        return Work(unit)

    return prepare


def one_event_new(rooms: int) -> Prepare:
    """Return the operation of ten clients that ask after one message; each answer counts as one."""

    async def prepare(world: World) -> Work:
        owner = await world.user_in_rooms(rooms)
        room_id = await owner.create_room(name="The busy room")
        sliders = [Slider(owner, f"event-{number}") for number in range(CONNECTIONS)]
        for slider in sliders:
            await slider.request()

        async def unit(number: int) -> list[float]:
            marker = f"slide-{number}-"
            await owner.send(room_id, f"{marker} {SENTENCE}")
            latencies = []
            for slider in sliders:
                start = time.perf_counter()
                answer = await slider.request()
                latencies.append(time.perf_counter() - start)
                if marker.encode() not in answer:
                    raise RuntimeError("the answer does not have the message")
            return latencies

        return Work(unit, warm_up=3)

    return prepare


def _check(answer: bytes, rooms: int) -> None:
    """Raise unless the answer counts all rooms and has those of the window."""
    body = orjson.loads(answer)
    counted, shown = body["lists"]["all"]["count"], len(body["rooms"])
    if counted < rooms or shown != min(WINDOW, counted):
        raise RuntimeError(f"{counted} rooms counted and {shown} shown, not {rooms} and {min(WINDOW, counted)}")
