"""Inviting into rooms (spec: inviting.yaml, third_party_membership.yaml)."""

import msgspec

from myelin.http.endpoint import Endpoints
from myelin.http.requester import Requester
from myelin.http.response import Empty
from myelin.matrix.errors import MissingParam
from myelin.services.membership.inviting import Invite, Inviting
from myelin.services.membership.third_party_invites import check_no_third_party_invite

endpoints = Endpoints(group="rooms")


class InviteBody(msgspec.Struct, frozen=True):
    """Whom to invite: a Matrix user, or an address that an identity server knows."""

    user_id: str | None = None
    reason: str | None = None
    medium: str | None = None
    address: str | None = None


@endpoints.endpoint(
    "POST /_matrix/client/v3/rooms/{room_id}/invite", limit="invites", shard_by="room_id", unless_suspended=True
)
async def invite_user(requester: Requester, inviting: Inviting, room_id: str, body: InviteBody) -> Empty:
    """Invite a user."""
    if body.user_id is None:
        check_no_third_party_invite(body.medium or body.address)
        raise MissingParam("Say in `user_id` whom to invite")
    invite = Invite(sender=requester.user_id, user_id=body.user_id, reason=body.reason, is_limited=requester.is_limited)
    await inviting.invite(invite, room_id)
    return Empty()
