"""A room's history (spec: message_pagination.yaml)."""

from typing import Any

from myelin.api.client.reading_queries import PageQuery, event_filter, page_size
from myelin.http.endpoint import Auth, Endpoints
from myelin.http.requester import Requester
from myelin.services.rooms.messages import Messages
from myelin.services.rooms.viewpoint import Viewpoints

endpoints = Endpoints(group="rooms", auth=Auth.GUEST)


class MessagesQuery(PageQuery, frozen=True, rename={"from_": "from"}):
    """Query parameters of `GET /messages`."""

    filter: str | None = None


@endpoints.endpoint("GET /_matrix/client/v3/rooms/{room_id}/messages", shard_by="room_id")
async def get_room_events(
    requester: Requester, viewpoints: Viewpoints, messages: Messages, room_id: str, query: MessagesQuery
) -> dict[str, Any]:
    """Read a room's history, a page at a time."""
    view = await viewpoints.of(requester, room_id)
    span = query.span(view.position)
    return await messages.page(view, span, page_size(query.limit), event_filter(query.filter), start=query.from_)
