"""Labels on rooms (spec: tags.yaml)."""

from typing import Any

import msgspec

from myelin.api.client.own import check_own
from myelin.http.endpoint import Endpoints
from myelin.http.requester import Requester
from myelin.http.response import Empty
from myelin.services.userdata.tags import Tags

endpoints = Endpoints(group="account_data")


class TagsAnswer(msgspec.Struct, frozen=True):
    """Labels with their values."""

    tags: dict[str, Any]


@endpoints.endpoint("GET /_matrix/client/v3/user/{user_id}/rooms/{room_id}/tags", shard_by="user_id")
async def get_room_tags(requester: Requester, tags: Tags, user_id: str, room_id: str) -> TagsAnswer:
    """List a room's labels."""
    check_own(requester, user_id)
    return TagsAnswer(await tags.of_room(user_id, room_id))


@endpoints.endpoint("PUT /_matrix/client/v3/user/{user_id}/rooms/{room_id}/tags/{tag}", shard_by="user_id")
async def set_room_tag(
    requester: Requester, tags: Tags, user_id: str, room_id: str, tag: str, body: dict[str, Any]
) -> Empty:
    """Label a room."""
    check_own(requester, user_id)
    await tags.put(user_id, room_id, tag, body)
    return Empty()


@endpoints.endpoint("DELETE /_matrix/client/v3/user/{user_id}/rooms/{room_id}/tags/{tag}", shard_by="user_id")
async def delete_room_tag(requester: Requester, tags: Tags, user_id: str, room_id: str, tag: str) -> Empty:
    """Take a label from a room."""
    check_own(requester, user_id)
    await tags.delete(user_id, room_id, tag)
    return Empty()
