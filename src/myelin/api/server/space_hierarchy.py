"""The rooms of a space for other servers (spec: server-server space_hierarchy.yaml)."""

from typing import Any

import msgspec

from myelin.http.endpoint import Auth, Endpoints
from myelin.services.federation.asking.shared_spaces import SharedSpaces

endpoints = Endpoints(group="federation", auth=Auth.SERVER)


class HierarchyQuery(msgspec.Struct, frozen=True):
    """Whether only suggested rooms are wanted."""

    suggested_only: bool = False


@endpoints.endpoint(
    "GET /_matrix/federation/v1/hierarchy/{room_id}",
    also=("/_matrix/federation/unstable/org.matrix.msc2946/hierarchy/{room_id}",),
    name="federation_get_space_hierarchy",
    shard_by="room_id",
)
async def get_space_hierarchy(origin: str, spaces: SharedSpaces, room_id: str, query: HierarchyQuery) -> dict[str, Any]:
    """Tell of a room and of those below it."""
    return await spaces.space(origin, room_id, suggested_only=query.suggested_only)
