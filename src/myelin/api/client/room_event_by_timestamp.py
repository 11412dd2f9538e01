"""The event closest to a moment (spec: room_event_by_timestamp.yaml)."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from myelin.api.client.reading_queries import Direction
from myelin.http.endpoint import Endpoints
from myelin.http.requester import Requester
from myelin.matrix.limits import MAX_JSON_INT
from myelin.services.rooms.events_by_time import EventsByTime
from myelin.services.rooms.viewpoint import Viewpoints

endpoints = Endpoints(group="rooms")


class TimeQuery(msgspec.Struct, frozen=True):
    """Query parameters of `GET /timestamp_to_event`."""

    ts: Annotated[int, Meta(ge=0, le=MAX_JSON_INT)]
    dir: Direction


@endpoints.endpoint("GET /_matrix/client/v1/rooms/{room_id}/timestamp_to_event", limit="general", shard_by="room_id")
async def get_event_by_timestamp(
    requester: Requester, viewpoints: Viewpoints, by_time: EventsByTime, room_id: str, query: TimeQuery
) -> dict[str, Any]:
    """Find the event closest to a moment."""
    view = await viewpoints.of(requester, room_id)
    moment = await by_time.closest(view, query.ts, is_back=query.dir == "b")
    return {"event_id": moment.event_id, "origin_server_ts": moment.origin_server_ts}
