"""The room engine."""

from collections.abc import Mapping
from typing import Any

from myelin.app.ground import Ground
from myelin.app.parts.part import Part
from myelin.services.directory.directory_index import UserDirectoryIndex
from myelin.services.federation.receiving.ports import PolicyChecks
from myelin.services.rooms.building import Builder
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.graph.graph_writer import GraphWriter
from myelin.services.rooms.graph.room_graph import RoomGraph
from myelin.services.rooms.ports import EventPolicies
from myelin.services.rooms.room_types import RoomTypeIndex
from myelin.services.rooms.writer import RoomWriter
from myelin.services.search.search_index import SearchIndex
from myelin.services.sticky_events.sticky_index import StickyIndex

MIB = 1024 * 1024
INDEXES = (UserDirectoryIndex, SearchIndex)
"""What else is derived from events and written with them."""


def make_rooms(ground: Ground, services: Mapping[type, Any]) -> Part:
    """Rooms in memory, and the one writer of events."""
    rooms = Rooms(ground.database, ground.feed, budget_bytes=ground.config.sync.room_cache_mib * MIB)
    builder = Builder(ground.server_name, ground.signing_key, ground.clock, ground.randomness)
    indexes = [services[kind] for kind in INDEXES if kind in services]
    indexes += [StickyIndex(ground.clock), RoomTypeIndex()]
    policies = EventPolicies()
    writer = RoomWriter(rooms, builder, ground.committer, ground.database, ground.clock, indexes, policies)
    made = {Rooms: rooms, RoomWriter: writer, Builder: builder, EventPolicies: policies, PolicyChecks: PolicyChecks()}
    graph = RoomGraph(ground.database)
    graph_writer = GraphWriter(ground.server_name, rooms, graph, ground.committer, ground.database, builder, indexes)
    return Part(services={**made, RoomGraph: graph, GraphWriter: graph_writer})
