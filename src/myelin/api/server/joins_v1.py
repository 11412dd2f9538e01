"""Joining rooms of this server (spec: joins-v1.yaml), and the older form of `send_join`."""

from typing import Any

from myelin.http.endpoint import Auth, Endpoints
from myelin.http.request import Request
from myelin.services.federation.handshakes.accepting import Accepting
from myelin.services.federation.handshakes.join_answers import JoinAnswers
from myelin.services.federation.handshakes.proposing import Proposing
from myelin.services.federation.handshakes.templates import ASSUMED_VERSION

endpoints = Endpoints(group="federation", auth=Auth.SERVER)

MAX_VERSIONS = 100
"""Room versions of a request that are looked at."""


def supported_versions(request: Request) -> frozenset[str]:
    """The room versions that the server which asks knows; one that names none is from a time when there was one."""
    named = [value for name, value in request.query_list() if name == "ver"]
    return frozenset(named[:MAX_VERSIONS] or [ASSUMED_VERSION])


@endpoints.endpoint("GET /_matrix/federation/v1/make_join/{room_id}/{user_id}", shard_by="room_id")
async def make_join(origin: str, proposing: Proposing, request: Request, room_id: str, user_id: str) -> dict[str, Any]:
    """Ask for a join event to complete and sign."""
    return await proposing.join(origin, room_id, user_id, supported_versions(request))


@endpoints.endpoint("PUT /_matrix/federation/v1/send_join/{room_id}/{event_id}", shard_by="room_id")
async def send_join_v1(
    origin: str, accepting: Accepting, answers: JoinAnswers, room_id: str, event_id: str, body: dict[str, Any]
) -> list[Any]:
    """Hand in a signed join, as it was done before version 2 of the endpoint."""
    room, join = await accepting.accept_as_of_old(origin, room_id, event_id, body, "join")
    return [200, await answers.answer(room, join, omit_members=False)]
