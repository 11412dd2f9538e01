"""Single events, and the state of rooms at an event (spec: events.yaml)."""

from typing import Any

import msgspec

from myelin.http.endpoint import Auth, Endpoints
from myelin.services.federation.receiving.peer_reading import PeerReading

endpoints = Endpoints(group="federation", auth=Auth.SERVER)


class AtEvent(msgspec.Struct, frozen=True):
    """The event before which the state is wanted."""

    event_id: str


@endpoints.endpoint("GET /_matrix/federation/v1/event/{event_id}", name="federation_get_event")
async def get_event(origin: str, reading: PeerReading, event_id: str) -> dict[str, Any]:
    """Give one event."""
    return await reading.event(origin, event_id)


@endpoints.endpoint("GET /_matrix/federation/v1/state/{room_id}", name="federation_get_room_state", shard_by="room_id")
async def get_room_state(origin: str, reading: PeerReading, room_id: str, query: AtEvent) -> dict[str, Any]:
    """Give a room's state before an event, with its auth chain."""
    return await reading.state(origin, room_id, query.event_id)


@endpoints.endpoint("GET /_matrix/federation/v1/state_ids/{room_id}", shard_by="room_id")
async def get_room_state_ids(origin: str, reading: PeerReading, room_id: str, query: AtEvent) -> dict[str, Any]:
    """Give the IDs of the same."""
    return await reading.state_ids(origin, room_id, query.event_id)
