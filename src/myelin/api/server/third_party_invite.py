"""Invites by e-mail address or phone number (spec: third_party_invite.yaml)."""

from typing import Any

import msgspec

from myelin.http.endpoint import Auth, Endpoints
from myelin.http.response import Empty
from myelin.services.federation.handshakes.third_party_invites import BoundInvite, ThirdPartyInvites

endpoints = Endpoints(group="federation", auth=Auth.SERVER)


class BoundBody(msgspec.Struct, frozen=True):
    """Whose an address is now, and the invites that waited for that."""

    mxid: str
    invites: list[BoundInvite]


@endpoints.endpoint("PUT /_matrix/federation/v1/exchange_third_party_invite/{room_id}", shard_by="room_id")
async def exchange_third_party_invite(
    origin: str, invites: ThirdPartyInvites, room_id: str, body: dict[str, Any]
) -> Empty:
    """Have a user of another server be invited who was invited by an address."""
    await invites.exchange(origin, room_id, body)
    return Empty()


# Identity servers have always sent a POST, where the spec says PUT.
@endpoints.endpoint(
    "POST /_matrix/federation/v1/3pid/onbind", auth=Auth.NONE, limit="invites", name="post_third_party_binding"
)
@endpoints.endpoint("PUT /_matrix/federation/v1/3pid/onbind", auth=Auth.NONE, limit="invites")
async def on_bind_third_party_identifier(invites: ThirdPartyInvites, body: BoundBody) -> Empty:
    """Hear from an identity server that an address is a user's now."""
    await invites.bound(body.mxid, body.invites)
    return Empty()
