"""Make what takes long once and keep it: `python -m bench.worlds FOLDER [--servers myelin,synapse]`, on SQLite.

Rooms, users and messages are made through the API like everything else, but for nine in ten of Synapse's 10,000 rooms,
which are copies of others within its database. `script/bench --worlds FOLDER` then works on copies of the folder.
"""

import argparse
import asyncio
import os
import shutil
import time
from pathlib import Path

from bench.client import Client
from bench.copying import copy_rooms
from bench.operations import COLD_PAGE_ROOMS, MANY, PAGE
from bench.pushing import MEMBERS
from bench.servers import SERVERS, Server
from bench.sliding import SIZES
from bench.world import World

GENERATOR_CORES = {1}


def data_of(folder: Path, name: str) -> Path:
    """Where a server's data is kept."""
    return folder / name


def description_of(folder: Path, name: str) -> Path:
    """Where it is written down who is in a kept world."""
    return folder / f"{name}.json"


def copy_world(folder: Path, name: str, target: Path) -> None:
    """Copy a server's kept data to where it is to run."""
    shutil.copytree(data_of(folder, name), target, ignore=shutil.ignore_patterns("authority"))


async def make_world(folder: Path, name: str) -> None:
    """Make what the operations ask for that takes long; what is there from an earlier call is not made again."""
    server = SERVERS[name](data_of(folder, name), None)
    await server.start()
    try:
        world, path = World(server.url, server.authority, server.restart), description_of(folder, name)
        if path.exists():
            world.recall(path)
        for rooms in SIZES:
            begin = time.perf_counter()
            if rooms > MANY and name == "synapse" and rooms not in world.crowded:
                await _copy(server, world, rooms)
            await world.user_in_rooms(rooms)
            world.keep(path)
            print(f"{name}: a user in {rooms:,} rooms, {time.perf_counter() - begin:.0f} s", flush=True)
        await world.rooms_with_history(COLD_PAGE_ROOMS, PAGE)
        world.keep(path)
        await world.hall(MEMBERS)
        world.keep(path)
    finally:
        await server.stop()


async def _copy(server: Server, world: World, rooms: int) -> None:
    """Have a user in so many rooms which are copies of those of another one."""
    templates = await world.user_in_rooms(MANY)
    owner = world.crowded[rooms] = await Client.register(server.url, f"in-{rooms}-rooms")
    await server.stop()
    (database,) = server.sqlite_files()
    copy_rooms(database, templates.user_id, owner.user_id, rooms)
    await server.start()


async def main() -> None:
    """Make the worlds of the chosen servers, one after the other."""
    parser = argparse.ArgumentParser(prog="python -m bench.worlds", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--servers", default="myelin,synapse", help="comma-separated, of: myelin, synapse")
    chosen = parser.parse_args()
    for name in chosen.servers.split(","):
        await make_world(chosen.folder, name)


if __name__ == "__main__":
    os.sched_setaffinity(0, GENERATOR_CORES)
    asyncio.run(main())
