"""Inviting into rooms (spec: inviting.yaml, third_party_membership.yaml)."""

import msgspec

from myelin.http.endpoint import Endpoints
from myelin.http.requester import Requester
from myelin.http.response import Empty
from myelin.matrix.errors import MissingParam
from myelin.services.membership.address_inviting import AddressInviting
from myelin.services.membership.inviting import Invite, Inviting
from myelin.services.rooms.ports import AddressInvite

endpoints = Endpoints(group="rooms")


class InviteBody(msgspec.Struct, frozen=True):
    """Whom to invite: a Matrix user, or an address that an identity server knows."""

    user_id: str | None = None
    reason: str | None = None
    medium: str | None = None
    address: str | None = None
    id_server: str | None = None
    id_access_token: str | None = None

    def address_invite(self) -> AddressInvite:
        """Whom to invite by address. Raises MissingParam."""
        given = {name: getattr(self, name) for name in AddressInvite._fields}
        missing = sorted(name for name, value in given.items() if value is None)
        if len(missing) == len(given):
            raise MissingParam("Say in `user_id` whom to invite")
        if missing:
            raise MissingParam(f"To invite by an address, give {' and '.join(missing)} too")
        return AddressInvite(**given)


@endpoints.endpoint(
    "POST /_matrix/client/v3/rooms/{room_id}/invite", limit="invites", shard_by="room_id", unless_suspended=True
)
async def invite_user(
    requester: Requester, inviting: Inviting, addresses: AddressInviting, room_id: str, body: InviteBody
) -> Empty:
    """Invite a user, or who has an address."""
    if body.user_id is None:
        invited = body.address_invite()
        content = {} if body.reason is None else {"reason": body.reason}
        await addresses.invite(requester.user_id, room_id, invited, content, is_limited=requester.is_limited)
        return Empty()
    invite = Invite(sender=requester.user_id, user_id=body.user_id, reason=body.reason, is_limited=requester.is_limited)
    await inviting.invite(invite, room_id)
    return Empty()
