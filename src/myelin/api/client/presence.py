"""Presence (spec: presence.yaml)."""

from typing import Any

from myelin.api.client.own import check_own
from myelin.http.endpoint import Endpoints
from myelin.http.requester import Requester
from myelin.http.response import Empty
from myelin.services.presence.presence import Presence

endpoints = Endpoints(group="presence")


@endpoints.endpoint("PUT /_matrix/client/v3/presence/{user_id}/status", limit="presence", shard_by="user_id")
async def set_presence(requester: Requester, presence: Presence, user_id: str, body: dict[str, Any]) -> Empty:
    """Say whether the user is online, and what they do."""
    check_own(requester, user_id)
    await presence.set(user_id, requester.device_id or "", body)
    return Empty()


@endpoints.endpoint("GET /_matrix/client/v3/presence/{user_id}/status", shard_by="user_id")
async def get_presence(requester: Requester, presence: Presence, user_id: str) -> dict[str, Any]:
    """Show whether a user is online."""
    return await presence.seen_by(requester.user_id, user_id)
