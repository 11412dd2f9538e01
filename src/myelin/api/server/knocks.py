"""Knocking on rooms of this server (spec: knocks.yaml)."""

from typing import Any

from myelin.api.server.joins_v1 import supported_versions
from myelin.http.endpoint import Auth, Endpoints
from myelin.http.request import Request
from myelin.services.federation.handshakes.accepting import Accepting
from myelin.services.federation.handshakes.introduction import Introduction
from myelin.services.federation.handshakes.proposing import Proposing

endpoints = Endpoints(group="federation", auth=Auth.SERVER)


@endpoints.endpoint("GET /_matrix/federation/v1/make_knock/{room_id}/{user_id}", shard_by="room_id")
async def make_knock(origin: str, proposing: Proposing, request: Request, room_id: str, user_id: str) -> dict[str, Any]:
    """Ask for a knock event to complete and sign."""
    return await proposing.knock(origin, room_id, user_id, supported_versions(request))


@endpoints.endpoint("PUT /_matrix/federation/v1/send_knock/{room_id}/{event_id}", shard_by="room_id")
async def send_knock(
    origin: str, accepting: Accepting, introduction: Introduction, room_id: str, event_id: str, body: dict[str, Any]
) -> dict[str, Any]:
    """Hand in a signed knock; what its sender may see of the room."""
    room, _ = await accepting.accept(origin, room_id, event_id, body, "knock")
    return {"knock_room_state": await introduction.of(room)}
