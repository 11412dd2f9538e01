"""Joining rooms (spec: joining.yaml)."""

from collections.abc import Sequence
from typing import Any

import msgspec

from myelin.api.client.bodies import read
from myelin.api.client.create_room import RoomId
from myelin.http.endpoint import Auth, Endpoints
from myelin.http.request import Request
from myelin.http.requester import Requester
from myelin.services.federation.handshakes.third_party_invites import ThirdPartyInvites
from myelin.services.membership.joining import Entry, Joining
from myelin.services.rooms.addresses import RoomAddresses

endpoints = Endpoints(group="rooms")

MAX_VIA = 20
"""Servers of a request that are asked."""


OF_THE_SERVER = frozenset(
    {
        "avatar_url",
        "displayname",
        "is_direct",
        "join_authorised_via_users_server",
        "membership",
        "third_party_invite",
    }
)
"""Keys of a membership event that its sender does not choose by joining."""


class JoinBody(msgspec.Struct, frozen=True):
    """Why somebody joins."""

    reason: str | None = None
    third_party_signed: dict[str, Any] | None = None


def via(request: Request) -> tuple[str, ...]:
    """The servers that a client names, under the name of today or that of old."""
    named = request.query_list()
    servers = [value for name, value in named if name == "via"] or [v for name, v in named if name == "server_name"]
    return tuple(servers[:MAX_VIA])


@endpoints.endpoint(
    "POST /_matrix/client/v3/rooms/{room_id}/join",
    auth=Auth.GUEST,
    limit="joins",
    shard_by="room_id",
    body_optional=True,
    unless_suspended=True,
)
async def join_room_by_id(
    requester: Requester, joining: Joining, addressed: ThirdPartyInvites, room_id: str, body: dict[str, Any]
) -> RoomId:
    """Join a room by its ID."""
    await _redeem(requester, addressed, room_id, body)
    entry = _entry(requester, body)
    await joining.join(entry, room_id)
    return RoomId(room_id)


@endpoints.endpoint(
    "POST /_matrix/client/v3/join/{room_id_or_alias}",
    auth=Auth.GUEST,
    limit="joins",
    shard_by="room_id_or_alias",
    body_optional=True,
    unless_suspended=True,
)
async def join_room(
    requester: Requester,
    joining: Joining,
    addresses: RoomAddresses,
    addressed: ThirdPartyInvites,
    request: Request,
    room_id_or_alias: str,
    body: dict[str, Any],
) -> RoomId:
    """Join a room by its ID or an alias."""
    found = await addresses.resolve(room_id_or_alias, via(request))
    await _redeem(requester, addressed, found.room_id, body)
    entry = _entry(requester, body, found.servers)
    await joining.join(entry, found.room_id)
    return RoomId(found.room_id)


async def _redeem(requester: Requester, addressed: ThirdPartyInvites, room_id: str, given: dict[str, Any]) -> None:
    """Who shows what an identity server signed is invited first."""
    signed = read(JoinBody, given).third_party_signed
    if signed is not None:
        await addressed.redeem(requester.user_id, room_id, signed)


def _entry(requester: Requester, given: dict[str, Any], servers: Sequence[str] = ()) -> Entry:
    """What the body says of the membership; what it has beside the spec's keys goes into the event, as by `/state`."""
    body = read(JoinBody, given)
    return Entry(
        user_id=requester.user_id,
        is_guest=requester.is_guest,
        reason=body.reason,
        via=servers,
        content={k: v for k, v in given.items() if k not in OF_THE_SERVER and k not in JoinBody.__struct_fields__},
        is_limited=requester.is_limited,
    )
