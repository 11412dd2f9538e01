"""Directories of bridged networks (spec: appservice_room_directory.yaml)."""

from typing import Literal

import msgspec

from myelin.http.endpoint import Endpoints
from myelin.http.requester import Requester
from myelin.http.response import Empty
from myelin.services.appservices.network_rooms import NetworkRooms

endpoints = Endpoints(group="appservices")


class NetworkVisibility(msgspec.Struct, frozen=True):
    """Whether a room is in the directory."""

    visibility: Literal["public", "private"]


@endpoints.endpoint("PUT /_matrix/client/v3/directory/list/appservice/{network_id}/{room_id}")
async def update_appservice_room_directory_visibility(
    requester: Requester, rooms: NetworkRooms, network_id: str, room_id: str, body: NetworkVisibility
) -> Empty:
    """Put a room into the directory of a network, or take it out."""
    await rooms.set(requester.appservice_id, network_id, room_id, is_public=body.visibility == "public")
    return Empty()


@endpoints.endpoint("DELETE /_matrix/client/v3/directory/list/appservice/{network_id}/{room_id}")
async def delete_appservice_room_directory_visibility(
    requester: Requester, rooms: NetworkRooms, network_id: str, room_id: str
) -> Empty:
    """Take a room out of the directory of a network, as bridges did before there was a visibility for it."""
    await rooms.set(requester.appservice_id, network_id, room_id, is_public=False)
    return Empty()
