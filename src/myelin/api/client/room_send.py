"""Sending messages (spec: room_send.yaml)."""

from typing import Annotated, Any

import msgspec

from myelin.api.client.query_values import StickyMs
from myelin.http.endpoint import Auth, Endpoints
from myelin.http.requester import Requester
from myelin.services.delayed_events.delayed_events import DelayedEvents, Wish
from myelin.services.rooms.sending import EventSender
from myelin.services.rooms.writer import Once

endpoints = Endpoints(group="rooms")

MAX_TS = 2**53 - 1
"""Milliseconds; what an event can hold."""


class EventId(msgspec.Struct, frozen=True):
    """The ID of an event."""

    event_id: str


class Timestamp(msgspec.Struct, frozen=True):
    """When the event happened, for application services alone."""

    ts: Annotated[int, msgspec.Meta(ge=0, le=MAX_TS)] | None = None

    def of(self, requester: Requester) -> int | None:
        """The time that the requester may choose."""
        return None if requester.appservice_id is None else self.ts


class SendQuery(Timestamp, frozen=True):
    """When the event happened, or is to be sent."""

    delay_ms: int | None = msgspec.field(default=None, name="org.matrix.msc4140.delay")
    sticky_ms: StickyMs | None = msgspec.field(default=None, name="org.matrix.msc4354.sticky_duration_ms")


class DelayId(msgspec.Struct, frozen=True):
    """The ID of an event that is sent later."""

    delay_id: str


@endpoints.endpoint(
    "PUT /_matrix/client/v3/rooms/{room_id}/send/{event_type}/{txn_id}",
    auth=Auth.GUEST,
    limit="message",
    shard_by="room_id",
    unless_suspended=True,
)
async def send_message(
    requester: Requester,
    sender: EventSender,
    delayed: DelayedEvents,
    room_id: str,
    event_type: str,
    txn_id: str,
    query: SendQuery,
    body: dict[str, Any],
) -> EventId | DelayId:
    """Send a message event."""
    user_id = requester.user_id
    if query.delay_ms is not None:
        wish = Wish(user_id, requester.device_id or "", room_id, event_type, None, body, txn_id, query.sticky_ms)
        return DelayId(await delayed.add(wish, query.delay_ms))
    once = Once(user_id, requester.device_id or "", txn_id, f"send/{room_id}")
    ts, sticky_ms = query.of(requester), query.sticky_ms
    return EventId(await sender.send(user_id, room_id, event_type, body, once=once, ts=ts, sticky_ms=sticky_ms))


@endpoints.endpoint(
    "POST /_matrix/client/v3/rooms/{room_id}/send/{event_type}",
    auth=Auth.GUEST,
    limit="message",
    shard_by="room_id",
    unless_suspended=True,
)
async def send_message_without_transaction(
    requester: Requester, sender: EventSender, room_id: str, event_type: str, query: SendQuery, body: dict[str, Any]
) -> EventId:
    """Send a message event, as scripts from before the spec's first release do: repeated, it is sent again."""
    ts, sticky_ms = query.of(requester), query.sticky_ms
    return EventId(await sender.send(requester.user_id, room_id, event_type, body, ts=ts, sticky_ms=sticky_ms))
