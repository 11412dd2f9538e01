"""Read markers (spec: read_markers.yaml)."""

from typing import Any

from myelin.http.endpoint import Endpoints
from myelin.http.requester import Requester
from myelin.http.response import Empty
from myelin.services.presence.presence import Presence
from myelin.services.receipts.read_markers import ReadMarkers

endpoints = Endpoints(group="receipts")


@endpoints.endpoint("POST /_matrix/client/v3/rooms/{room_id}/read_markers", limit="general", shard_by="room_id")
async def set_read_marker(
    requester: Requester, read_markers: ReadMarkers, presence: Presence, room_id: str, body: dict[str, Any]
) -> Empty:
    """Say how far the user has read, by marker and receipts."""
    presence.acted(requester.user_id, requester.device_id or "")
    await read_markers.move_all(requester.user_id, room_id, body)
    return Empty()
