"""Searching messages (spec: search.yaml)."""

from typing import Any

import msgspec

from myelin.http.endpoint import Endpoints
from myelin.http.requester import Requester
from myelin.services.search.message_search import MessageSearch
from myelin.services.search.result_rendering import ResultRendering
from myelin.services.search.search_request import RoomEventsCriteria, parse_place

endpoints = Endpoints(group="search")


class SearchCategories(msgspec.Struct):
    """Where to search."""

    room_events: RoomEventsCriteria | None = None


class SearchBody(msgspec.Struct):
    """A search."""

    search_categories: SearchCategories


class SearchQuery(msgspec.Struct):
    """Where to go on."""

    next_batch: str | None = None


@endpoints.endpoint("POST /_matrix/client/v3/search", limit="search")
async def search(
    requester: Requester, messages: MessageSearch, rendering: ResultRendering, body: SearchBody, query: SearchQuery
) -> dict[str, Any]:
    """Find events by words."""
    criteria = body.search_categories.room_events
    if criteria is None:
        return {"search_categories": {}}
    after = None if query.next_batch is None else parse_place(query.next_batch)
    found = await messages.search(requester, criteria, after)
    return {"search_categories": {"room_events": await rendering.room_events(requester, criteria, found)}}
