"""Rooms, checked and repaired by the administrator, without a server running or beside one."""

import asyncio
from typing import Any

from myelin.app.build import lay_ground
from myelin.app.ground import Ground
from myelin.app.parts.directory import make_directory
from myelin.app.parts.rooms import make_rooms
from myelin.app.parts.search import make_search_index
from myelin.config.config import Config
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.graph.graph_check import GraphCheck
from myelin.services.rooms.graph.graph_writer import GraphWriter
from myelin.services.rooms.graph.room_graph import RoomGraph
from myelin.services.rooms.replay import Finding
from myelin.telemetry.ambient import SystemClock, SystemRandomness


def check_room(config: Config, room_id: str, *, repair: bool = False) -> list[Finding]:
    """What is wrong with a room; with `repair` its ends and state are what they should be afterwards.

    Raises NotFound, or TooMuchWork. May not be called within an event loop.
    """
    return asyncio.run(_check(config, room_id, repair=repair))


async def _check(config: Config, room_id: str, *, repair: bool) -> list[Finding]:
    ground = await lay_ground(config, SystemClock(), SystemRandomness())
    try:
        return await check_in(ground, room_id, repair=repair)
    finally:
        await ground.committer.drain()
        await ground.database.close()


async def check_in(ground: Ground, room_id: str, *, repair: bool) -> list[Finding]:
    """The same with the database open."""
    services: dict[type, Any] = {}
    for make in (make_directory, make_search_index, make_rooms):
        services.update(make(ground, services).services)
    rooms: Rooms = services[Rooms]
    writer: GraphWriter = services[GraphWriter]
    graph: RoomGraph = services[RoomGraph]
    checked = await GraphCheck(rooms, graph, ground.database).check(room_id)
    kinds = {finding.kind for finding in checked.findings}
    if repair and checked.ends and kinds & {"extremities", "state"}:
        if "extremities" in kinds:
            await writer.set_ends(room_id, checked.ends, checked.depth)
        await writer.replace_state(room_id, checked.state)
    return checked.findings
