"""Receipts (spec: receipts.yaml)."""

from typing import Any

from myelin.http.endpoint import Endpoints
from myelin.http.requester import Requester
from myelin.http.response import Empty
from myelin.matrix.errors import InvalidParam
from myelin.services.presence.presence import Presence
from myelin.services.receipts.read_markers import ReadMarkers
from myelin.services.receipts.receipts import Receipts
from myelin.services.userdata.account_data import FULLY_READ

endpoints = Endpoints(group="receipts")


@endpoints.endpoint(
    "POST /_matrix/client/v3/rooms/{room_id}/receipt/{receipt_type}/{event_id}",
    limit="general",
    shard_by="room_id",
    body_optional=True,
)
async def post_receipt(
    requester: Requester,
    receipts: Receipts,
    read_markers: ReadMarkers,
    presence: Presence,
    room_id: str,
    receipt_type: str,
    event_id: str,
    body: dict[str, Any],
) -> Empty:
    """Say how far the user has read."""
    presence.acted(requester.user_id, requester.device_id or "")
    thread_id = body.get("thread_id")
    if "thread_id" in body and not isinstance(thread_id, str):
        raise InvalidParam("thread_id field must be a non-empty string")
    if receipt_type != FULLY_READ:
        await receipts.move(requester.user_id, room_id, receipt_type, event_id, thread_id)
    elif thread_id is not None:
        raise InvalidParam("The fully read marker has no thread_id")
    else:
        await read_markers.move(requester.user_id, room_id, event_id)
    return Empty()
