"""Single events, state and members (spec: rooms.yaml)."""

from typing import Any, Literal

import msgspec

from myelin.api.client.reading_queries import Membership, position_of
from myelin.http.endpoint import Auth, Endpoints
from myelin.http.requester import Requester
from myelin.http.response import JsonBytes
from myelin.services.rooms.event_context import EventContext
from myelin.services.rooms.presentation import spliced
from myelin.services.rooms.state_reading import StateReading
from myelin.services.rooms.viewpoint import Viewpoints

endpoints = Endpoints(group="rooms", auth=Auth.GUEST)


class StateQuery(msgspec.Struct, frozen=True):
    """How to show a piece of state."""

    format: Literal["content", "event"] = "content"


class MembersQuery(msgspec.Struct, frozen=True):
    """Which members, and as of when."""

    at: str | None = None
    membership: Membership | None = None
    not_membership: Membership | None = None


@endpoints.endpoint("GET /_matrix/client/v3/rooms/{room_id}/event/{event_id}", shard_by="room_id")
async def get_one_room_event(
    requester: Requester, viewpoints: Viewpoints, context: EventContext, room_id: str, event_id: str
) -> JsonBytes:
    """Show one event."""
    return JsonBytes(await context.json(await viewpoints.of_events(requester, room_id), event_id))


@endpoints.endpoint("GET /_matrix/client/v3/rooms/{room_id}/state", shard_by="room_id")
async def get_room_state(requester: Requester, viewpoints: Viewpoints, state: StateReading, room_id: str) -> Any:
    """Show the room's state, of members as it is now, of former members as it was when they left."""
    return spliced(await state.whole(await viewpoints.of_whole(requester, room_id)))


@endpoints.endpoint("GET /_matrix/client/v3/rooms/{room_id}/state/{event_type}/{state_key}", shard_by="room_id")
async def get_room_state_with_key(
    requester: Requester,
    viewpoints: Viewpoints,
    state: StateReading,
    room_id: str,
    event_type: str,
    state_key: str,
    query: StateQuery,
) -> Any:
    """Show one piece of state; with nothing after the last slash that of the empty key."""
    view = await viewpoints.of(requester, room_id)
    event = await state.entry(view, event_type, state_key)
    return JsonBytes(state.json(view, event)) if query.format == "event" else event.pdu.content


@endpoints.endpoint(
    "GET /_matrix/client/v3/rooms/{room_id}/state/{event_type}", shard_by="room_id", name="get_room_state_with_key"
)
async def get_room_state_without_key(
    requester: Requester,
    viewpoints: Viewpoints,
    state: StateReading,
    room_id: str,
    event_type: str,
    query: StateQuery,
) -> Any:
    """Show the piece of state of the empty key."""
    return await get_room_state_with_key(requester, viewpoints, state, room_id, event_type, "", query)


@endpoints.endpoint("GET /_matrix/client/v3/rooms/{room_id}/members", shard_by="room_id")
async def get_members_by_room(
    requester: Requester, viewpoints: Viewpoints, state: StateReading, room_id: str, query: MembersQuery
) -> dict[str, Any]:
    """List memberships."""
    view = await viewpoints.of(requester, room_id)
    at = position_of(query.at)
    if view.room.partial_servers is not None:
        # At whatever moment the client asks for, not all were known here who were in the room.
        view, at = await viewpoints.of_whole(requester, room_id), None
    members = await state.members(view, at, query.membership, query.not_membership)
    return {"chunk": spliced(members)}


@endpoints.endpoint("GET /_matrix/client/v3/rooms/{room_id}/joined_members", auth=Auth.USER, shard_by="room_id")
async def get_joined_members_by_room(
    requester: Requester, viewpoints: Viewpoints, state: StateReading, room_id: str
) -> dict[str, Any]:
    """List those who are in the room, with their names and avatars."""
    return {"joined": await state.joined_members(await viewpoints.of_whole(requester, room_id))}
