"""The event closest to a moment, for other servers (spec: server-server events.yaml)."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from myelin.http.endpoint import Auth, Endpoints
from myelin.matrix.limits import MAX_JSON_INT
from myelin.services.federation.asking.shared_moments import SharedMoments

endpoints = Endpoints(group="federation", auth=Auth.SERVER)


class MomentQuery(msgspec.Struct, frozen=True):
    """The moment in milliseconds, and on which side of it to look."""

    ts: Annotated[int, Meta(ge=0, le=MAX_JSON_INT)]
    dir: Literal["f", "b"]


@endpoints.endpoint(
    "GET /_matrix/federation/v1/timestamp_to_event/{room_id}",
    name="federation_get_event_by_timestamp",
    shard_by="room_id",
)
async def get_event_by_timestamp(
    origin: str, moments: SharedMoments, room_id: str, query: MomentQuery
) -> dict[str, Any]:
    """Find the event closest to a moment."""
    event = await moments.closest(origin, room_id, query.ts, is_back=query.dir == "b")
    return {"event_id": event.pdu.event_id, "origin_server_ts": event.pdu.origin_server_ts}
