"""Events that relate to one (spec: relations.yaml)."""

from typing import Any

from myelin.api.client.reading_queries import PageQuery, page_size
from myelin.http.endpoint import Endpoints
from myelin.http.requester import Requester
from myelin.services.rooms.presentation import Presentation, spliced
from myelin.services.rooms.related_events import RECURSION_DEPTH, Kind, RelatedEvents
from myelin.services.rooms.tokens import page_token
from myelin.services.rooms.viewpoint import Viewpoints

endpoints = Endpoints(group="rooms")


class RelationsQuery(PageQuery, frozen=True, rename={"from_": "from"}):
    """Query parameters of `GET /relations`."""

    recurse: bool | None = None


@endpoints.endpoint(
    "GET /_matrix/client/v1/rooms/{room_id}/relations/{event_id}/{rel_type}/{event_type}",
    shard_by="room_id",
)
async def get_relating_events_with_rel_type_and_event_type(
    requester: Requester,
    viewpoints: Viewpoints,
    related: RelatedEvents,
    presentation: Presentation,
    room_id: str,
    event_id: str,
    rel_type: str,
    event_type: str,
    query: RelationsQuery,
) -> dict[str, Any]:
    """List the children of an event of one relationship type and event type."""
    view = await viewpoints.of_events(requester, room_id)
    kind = Kind(rel_type, event_type, RECURSION_DEPTH if query.recurse else 1)
    page = await related.page(view, event_id, kind, query.span(view.position), page_size(query.limit))
    answer: dict[str, Any] = {"chunk": spliced(await presentation.of(view, page.events))}
    if page.end is not None:
        answer["next_batch"] = page_token(page.end)
    if query.from_ is not None:
        answer["prev_batch"] = query.from_
    if query.recurse is not None:
        answer["recursion_depth"] = kind.depth
    return answer


@endpoints.endpoint("GET /_matrix/client/v1/rooms/{room_id}/relations/{event_id}/{rel_type}", shard_by="room_id")
async def get_relating_events_with_rel_type(
    requester: Requester,
    viewpoints: Viewpoints,
    related: RelatedEvents,
    presentation: Presentation,
    room_id: str,
    event_id: str,
    rel_type: str,
    query: RelationsQuery,
) -> dict[str, Any]:
    """List the children of an event of one relationship type."""
    return await get_relating_events_with_rel_type_and_event_type(
        requester, viewpoints, related, presentation, room_id, event_id, rel_type, "", query
    )


@endpoints.endpoint("GET /_matrix/client/v1/rooms/{room_id}/relations/{event_id}", shard_by="room_id")
async def get_relating_events(
    requester: Requester,
    viewpoints: Viewpoints,
    related: RelatedEvents,
    presentation: Presentation,
    room_id: str,
    event_id: str,
    query: RelationsQuery,
) -> dict[str, Any]:
    """List the children of an event."""
    return await get_relating_events_with_rel_type_and_event_type(
        requester, viewpoints, related, presentation, room_id, event_id, "", "", query
    )
