"""Setting state (spec: room_state.yaml)."""

from typing import Any

from myelin.api.client.room_send import DelayId, EventId, SendQuery
from myelin.http.endpoint import Auth, Endpoints
from myelin.http.requester import Requester
from myelin.services.delayed_events.delayed_events import DelayedEvents, Wish
from myelin.services.membership.by_state import StateSender

endpoints = Endpoints(group="rooms")


@endpoints.endpoint(
    "PUT /_matrix/client/v3/rooms/{room_id}/state/{event_type}/{state_key}",
    auth=Auth.GUEST,
    limit="message",
    shard_by="room_id",
    unless_suspended=True,
)
async def set_room_state_with_key(
    requester: Requester,
    sender: StateSender,
    delayed: DelayedEvents,
    room_id: str,
    event_type: str,
    state_key: str,
    query: SendQuery,
    body: dict[str, Any],
) -> EventId | DelayId:
    """Set a piece of state; with nothing after the last slash the key is empty."""
    if query.delay_ms is not None:
        wish = Wish(requester.user_id, requester.device_id or "", room_id, event_type, state_key, body)
        wish = wish._replace(sticky_ms=query.sticky_ms)
        return DelayId(await delayed.add(wish, query.delay_ms))
    ts, key = query.of(requester), (event_type, state_key)
    return EventId(await sender.put(requester, room_id, key, body, ts=ts, sticky_ms=query.sticky_ms))


@endpoints.endpoint(
    "PUT /_matrix/client/v3/rooms/{room_id}/state/{event_type}",
    auth=Auth.GUEST,
    limit="message",
    shard_by="room_id",
    unless_suspended=True,
    name="set_room_state_with_key",
)
async def set_room_state(
    requester: Requester,
    sender: StateSender,
    delayed: DelayedEvents,
    room_id: str,
    event_type: str,
    query: SendQuery,
    body: dict[str, Any],
) -> EventId | DelayId:
    """Set a piece of state with an empty key."""
    return await set_room_state_with_key(requester, sender, delayed, room_id, event_type, "", query, body)
