"""`/sync` of clients that come back: what is new since their token."""

import time

import orjson

from bench.client import SENTENCE
from bench.measure import Work
from bench.world import World

ROOMS = 40
DEVICES = 10


async def incremental_sync(world: World) -> Work:
    """Ten devices of a user in forty rooms ask after one message; each answer counts as one."""
    owner = await world.user_in_rooms(ROOMS)
    room_id = await owner.create_room(name="The busy room")
    devices = [await owner.new_device() for _ in range(DEVICES)]
    tokens = [orjson.loads(await device.sync(None))["next_batch"] for device in devices]

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
