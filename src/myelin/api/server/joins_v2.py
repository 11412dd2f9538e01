"""Joining rooms of this server (spec: joins-v2.yaml)."""

from typing import Any

import msgspec

from myelin.http.endpoint import Auth, Endpoints
from myelin.services.federation.handshakes.accepting import Accepting
from myelin.services.federation.handshakes.join_answers import JoinAnswers

endpoints = Endpoints(group="federation", auth=Auth.SERVER)


class SendJoinQuery(msgspec.Struct, frozen=True):
    """How much of the room the server wants to have."""

    omit_members: bool = False


@endpoints.endpoint("PUT /_matrix/federation/v2/send_join/{room_id}/{event_id}", shard_by="room_id")
async def send_join_v2(
    origin: str,
    accepting: Accepting,
    answers: JoinAnswers,
    room_id: str,
    event_id: str,
    query: SendJoinQuery,
    body: dict[str, Any],
) -> dict[str, Any]:
    """Hand in a signed join; the room's state and what authorizes it."""
    room, join = await accepting.accept(origin, room_id, event_id, body, "join")
    return await answers.answer(room, join, omit_members=query.omit_members)
