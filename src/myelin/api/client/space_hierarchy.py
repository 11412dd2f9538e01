"""The rooms of a space (spec: space_hierarchy.yaml)."""

import msgspec

from myelin.http.endpoint import Endpoints
from myelin.http.requester import Requester
from myelin.services.rooms.hierarchy import Hierarchy, read_token
from myelin.services.rooms.hierarchy_room import HierarchyPage

endpoints = Endpoints(group="rooms")


class HierarchyQuery(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """Which part of the tree."""

    suggested_only: bool | None = None
    limit: int | None = None
    max_depth: int | None = None
    from_: str | None = None


@endpoints.endpoint(
    "GET /_matrix/client/v1/rooms/{room_id}/hierarchy",
    also=("/_matrix/client/unstable/org.matrix.msc2946/rooms/{room_id}/hierarchy",),
    limit="general",
    shard_by="room_id",
)
async def get_space_hierarchy(
    requester: Requester, hierarchy: Hierarchy, room_id: str, query: HierarchyQuery
) -> HierarchyPage:
    """Walk through the rooms below a space."""
    wanted = read_token(query.from_, query.max_depth, query.suggested_only)
    return await hierarchy.page(requester.user_id, room_id, wanted, query.limit)
