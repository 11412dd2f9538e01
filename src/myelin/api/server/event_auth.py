"""Auth chains of events (spec: event_auth.yaml)."""

from typing import Any

from myelin.http.endpoint import Auth, Endpoints
from myelin.services.federation.receiving.peer_reading import PeerReading

endpoints = Endpoints(group="federation", auth=Auth.SERVER)


@endpoints.endpoint("GET /_matrix/federation/v1/event_auth/{room_id}/{event_id}", shard_by="room_id")
async def get_event_auth(origin: str, reading: PeerReading, room_id: str, event_id: str) -> dict[str, Any]:
    """Give the auth chain of an event."""
    return await reading.event_auth(origin, room_id, event_id)
