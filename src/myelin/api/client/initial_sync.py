"""All that a user has, at once (spec: the `initialSync` of old_sync.yaml)."""

from typing import Any

import msgspec

from myelin.api.client.reading_queries import Limit, page_size
from myelin.http.endpoint import Endpoints
from myelin.http.requester import Requester
from myelin.services.sync.initial_sync import InitialSync

endpoints = Endpoints(group="sync")

DEFAULT_MESSAGES = 10


class InitialSyncQuery(msgspec.Struct, frozen=True):
    """Query parameters of `GET /initialSync`."""

    limit: Limit = DEFAULT_MESSAGES
    archived: bool = False


@endpoints.endpoint("GET /_matrix/client/v3/initialSync")
async def initial_sync(requester: Requester, service: InitialSync, query: InitialSyncQuery) -> dict[str, Any]:
    """Show all of the user's rooms, with their state and newest messages."""
    return await service.of(requester, page_size(query.limit), archived=query.archived)
