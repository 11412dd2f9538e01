"""`/sync`: what is new since a token, and everything of whoever is in a thousand rooms and more."""

import time
from collections.abc import Awaitable, Callable
from urllib.parse import quote

import orjson

from bench.client import CLIENT, SENTENCE, Client
from bench.measure import Work
from bench.world import World

DEVICES = 10
_NO_ROOMS = quote(orjson.dumps({"room": {"rooms": []}}).decode())

Prepare = Callable[[World], Awaitable[Work]]


def incremental_sync(rooms: int) -> Prepare:
    """Ten devices of a user in so many rooms ask after one message; each answer counts as one."""

    async def prepare(world: World) -> Work:
        owner = await world.user_in_rooms(rooms)
        room_id = await owner.create_room(name="The busy room")
        devices = [await owner.new_device() for _ in range(DEVICES)]
        # On Synapse it takes most of a minute to get one in ten thousand rooms, and it is good for all devices.
        tokens = [await _token_now(devices[0])] * DEVICES

        async def unit(number: int) -> list[float]:
            marker = f"sync-{number}-"
            await owner.send(room_id, f"{marker} {SENTENCE}")
            latencies = []
            for index, device in enumerate(devices):
                start = time.perf_counter()
                answer = await device.sync(tokens[index])
                latencies.append(time.perf_counter() - start)
                tokens[index] = orjson.loads(answer)["next_batch"]
                if marker.encode() not in answer:
                    raise RuntimeError("the answer does not have the message")
            return latencies

        return Work(unit, warm_up=3)

    return prepare


async def _token_now(device: Client) -> str:
    """A token of now, without the answer that a client would get with it."""
    answer = await device.connection.json("GET", f"{CLIENT}/sync?timeout=0&filter={_NO_ROOMS}")
    return str(answer["next_batch"])


def first_sync_of(rooms: int, repeats: int) -> Prepare:
    """A user who is alone in so many rooms signs in on a new device and syncs for the first time."""

    async def prepare(world: World) -> Work:
        owner = await world.user_in_rooms(rooms)
        devices = [await owner.new_device() for _ in range(repeats)]
        await world.restart()

        async def unit(number: int) -> None:
            joined = orjson.loads(await devices[number].first_sync())["rooms"]["join"]
            if len(joined) < rooms:
                raise RuntimeError(f"the answer has {len(joined)} rooms of {rooms}")

        return Work(unit, warm_up=0)

    return prepare
