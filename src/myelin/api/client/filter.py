"""Filters (spec: filter.yaml)."""

from typing import Any

import msgspec

from myelin.api.client.own import check_own
from myelin.http.endpoint import Auth, Endpoints
from myelin.http.requester import Requester
from myelin.http.response import JsonBytes
from myelin.services.accounts.filters import FilterService

endpoints = Endpoints(group="accounts", auth=Auth.GUEST)


class FilterId(msgspec.Struct, frozen=True):
    """What to name the filter by."""

    filter_id: str


@endpoints.endpoint("POST /_matrix/client/v3/user/{user_id}/filter", shard_by="user_id")
async def define_filter(requester: Requester, filters: FilterService, user_id: str, body: dict[str, Any]) -> FilterId:
    """Keep a filter for later syncs."""
    check_own(requester, user_id)
    return FilterId(await filters.create(user_id, body))


@endpoints.endpoint("GET /_matrix/client/v3/user/{user_id}/filter/{filter_id}", shard_by="user_id")
async def get_filter(requester: Requester, filters: FilterService, user_id: str, filter_id: str) -> JsonBytes:
    """Show a filter."""
    check_own(requester, user_id)
    return JsonBytes(await filters.json(user_id, filter_id))
