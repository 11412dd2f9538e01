"""Replacing rooms (spec: room_upgrades.yaml)."""

from typing import Any

import msgspec

from myelin.http.endpoint import Endpoints
from myelin.http.requester import Requester
from myelin.services.membership.upgrading import Upgrading

endpoints = Endpoints(group="rooms")


class UpgradeBody(msgspec.Struct, frozen=True):
    """To which version, and who is a creator besides the user."""

    new_version: str
    additional_creators: list[Any] | None = None


class Upgraded(msgspec.Struct, frozen=True):
    """The ID of the new room."""

    replacement_room: str


@endpoints.endpoint(
    "POST /_matrix/client/v3/rooms/{room_id}/upgrade",
    limit="room_creation",
    shard_by="room_id",
    unless_suspended=True,
)
async def upgrade_room(requester: Requester, upgrading: Upgrading, room_id: str, body: UpgradeBody) -> Upgraded:
    """Replace a room by one of another version."""
    new_id = await upgrading.upgrade(requester.user_id, room_id, body.new_version, body.additional_creators)
    return Upgraded(new_id)
