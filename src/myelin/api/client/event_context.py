"""An event and what happened around it (spec: event_context.yaml)."""

from typing import Any

import msgspec

from myelin.api.client.reading_queries import DEFAULT_PAGE, Limit, event_filter, page_size
from myelin.http.endpoint import Auth, Endpoints
from myelin.http.requester import Requester
from myelin.services.rooms.event_context import EventContext
from myelin.services.rooms.viewpoint import Viewpoints

endpoints = Endpoints(group="rooms", auth=Auth.GUEST)


class ContextQuery(msgspec.Struct, frozen=True):
    """Query parameters of `GET /context`."""

    limit: Limit = DEFAULT_PAGE
    filter: str | None = None


@endpoints.endpoint("GET /_matrix/client/v3/rooms/{room_id}/context/{event_id}", shard_by="room_id")
async def get_event_context(
    requester: Requester,
    viewpoints: Viewpoints,
    context: EventContext,
    room_id: str,
    event_id: str,
    query: ContextQuery,
) -> dict[str, Any]:
    """Show an event with those before and after it, and the state there."""
    view = await viewpoints.of(requester, room_id)
    return await context.context(view, event_id, page_size(query.limit), event_filter(query.filter))
