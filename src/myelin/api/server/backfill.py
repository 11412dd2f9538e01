"""The past of rooms, and what lies between two points of it (spec: backfill.yaml)."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from myelin.http.endpoint import Auth, Endpoints
from myelin.http.request import Request
from myelin.services.federation.receiving.peer_reading import MAX_NAMED, PeerReading

endpoints = Endpoints(group="federation", auth=Auth.SERVER)

Count = Annotated[int, Meta(ge=0)]


class BackfillQuery(msgspec.Struct, frozen=True):
    """How many events are wanted; from where on, a parameter that may be repeated, is read beside it."""

    limit: Count


class MissingEventsBody(msgspec.Struct, frozen=True):
    """Between which events others are missing."""

    earliest_events: list[str] = []
    latest_events: list[str] = []
    limit: Count = 10
    min_depth: int = 0


@endpoints.endpoint("GET /_matrix/federation/v1/backfill/{room_id}", shard_by="room_id")
async def backfill_room(
    origin: str, reading: PeerReading, request: Request, room_id: str, query: BackfillQuery
) -> dict[str, Any]:
    """Give some events and those before them."""
    named = [value for name, value in request.query_list() if name == "v"][:MAX_NAMED]
    return await reading.backfill(origin, room_id, named, query.limit)


@endpoints.endpoint("POST /_matrix/federation/v1/get_missing_events/{room_id}", shard_by="room_id")
async def get_missing_previous_events(
    origin: str, reading: PeerReading, room_id: str, body: MissingEventsBody
) -> dict[str, Any]:
    """Give the events between some and others."""
    return await reading.missing_events(
        origin, room_id, body.earliest_events, body.latest_events, body.limit, body.min_depth
    )
