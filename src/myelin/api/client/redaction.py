"""Removing the content of events (spec: redaction.yaml)."""

from typing import Any

from myelin.api.client.room_send import EventId, Timestamp
from myelin.http.endpoint import Endpoints
from myelin.http.requester import Requester
from myelin.services.rooms.sending import EventSender
from myelin.services.rooms.writer import Once

endpoints = Endpoints(group="rooms")


@endpoints.endpoint(
    "PUT /_matrix/client/v3/rooms/{room_id}/redact/{event_id}/{txn_id}",
    limit="message",
    shard_by="room_id",
    body_optional=True,
)
async def redact_event(
    requester: Requester,
    sender: EventSender,
    room_id: str,
    event_id: str,
    txn_id: str,
    query: Timestamp,
    body: dict[str, Any],
) -> EventId:
    """Redact an event."""
    user_id = requester.user_id
    once = Once(user_id, requester.device_id or "", txn_id, f"redact/{room_id}")
    ts, own_only = query.of(requester), requester.is_suspended
    return EventId(await sender.redact(user_id, room_id, event_id, body, once=once, ts=ts, own_only=own_only))


@endpoints.endpoint(
    "POST /_matrix/client/v3/rooms/{room_id}/redact/{event_id}",
    limit="message",
    shard_by="room_id",
    body_optional=True,
)
async def redact_event_without_transaction(
    requester: Requester, sender: EventSender, room_id: str, event_id: str, query: Timestamp, body: dict[str, Any]
) -> EventId:
    """Redact an event, as scripts from before the spec's first release do."""
    ts, own_only = query.of(requester), requester.is_suspended
    return EventId(await sender.redact(requester.user_id, room_id, event_id, body, ts=ts, own_only=own_only))
