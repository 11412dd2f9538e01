"""Inviting by e-mail address or phone number (spec: "Third-party invites"): the user whose it is by an identity
server's word, or, where it is nobody's yet, the address itself."""

from collections.abc import Mapping
from typing import Any

import structlog

from myelin.http.rate_limits import RateLimiter
from myelin.matrix.errors import Forbidden, InvalidParam, MissingParam
from myelin.services.identity.identity_servers import IdentityRefused, IdentityServers
from myelin.services.identity.lookup import Lookup
from myelin.services.identity.stored_invites import InviteStorage, StoredInvite
from myelin.services.identity.third_party_addresses import canonical
from myelin.services.membership.inviting import Invite, Inviting
from myelin.services.rooms.building import Draft
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.members import content_of, power_levels
from myelin.services.rooms.ports import AddressInvite, MemberNames
from myelin.services.rooms.room import CREATE, Room
from myelin.services.rooms.writer import RoomWriter

THIRD_PARTY_INVITE = "m.room.third_party_invite"
MAX_TOLD_CHARACTERS = 255
"""Of each thing that an identity server is told for the mail that it sends."""
_TOLD = {
    "room_alias": ("m.room.canonical_alias", "alias"),
    "room_avatar_url": ("m.room.avatar", "url"),
    "room_join_rules": ("m.room.join_rules", "join_rule"),
    "room_name": ("m.room.name", "name"),
    "room_type": ("m.room.create", "type"),
}
"""What is told of the room, and where it stands in its state."""

_log = structlog.get_logger("myelin.rooms")


class AddressInviting:
    """Invites people by their addresses. No event says more of an address than the identity server's name for it."""

    def __init__(
        self,
        servers: IdentityServers,
        inviting: Inviting,
        rooms: Rooms,
        writer: RoomWriter,
        names: MemberNames,
        limiter: RateLimiter,
    ) -> None:
        self._servers = servers
        self._lookup = Lookup(servers)
        self._storage = InviteStorage(servers)
        self._inviting = inviting
        self._rooms = rooms
        self._writer = writer
        self._names = names
        self._limiter = limiter

    def check(self, invite: AddressInvite) -> AddressInvite:
        """The invite with its address as it is compared.

        Raises InvalidParam, MissingParam, M_THREEPID_MEDIUM_NOT_SUPPORTED, or M_SERVER_NOT_TRUSTED.
        """
        self._servers.check_allowed(invite.id_server)
        if not invite.id_access_token:
            raise MissingParam("id_access_token is missing")
        return invite._replace(address=canonical(invite.medium, invite.address))

    async def invite(
        self, sender: str, room_id: str, invite: AddressInvite, content: Mapping[str, Any], *, is_limited: bool
    ) -> None:
        """Invite whoever has the address, or will have it.

        Raises what `check` and `Inviting.invite` do, and what identity servers answer.
        """
        asked = self.check(invite)
        room = await self._rooms.get(room_id)
        if room.membership(sender) != "join":
            raise Forbidden("You are not in this room")
        user_id = await self._lookup.user(asked.id_server, asked.id_access_token, asked.medium, asked.address)
        if user_id is None:
            user_id = await self._invite_address(sender, room, asked, is_limited=is_limited)
        if user_id is None:
            return
        reason = content.get("reason")
        if reason is not None and not isinstance(reason, str):
            raise InvalidParam("`reason` is a string")
        rest = {key: value for key, value in content.items() if key != "reason"}
        await self._inviting.invite(
            Invite(sender=sender, user_id=user_id, reason=reason, content=rest, is_limited=is_limited), room_id
        )

    async def _invite_address(self, sender: str, room: Room, invite: AddressInvite, *, is_limited: bool) -> str | None:
        """Invite the address itself; the user that it belongs to by now, if it became somebody's meanwhile."""
        levels = power_levels(room)
        if levels.power_level_of(sender) < levels.level("invite"):
            raise Forbidden("You are not allowed to invite into this room")
        if is_limited:
            # Each makes an identity server send a mail.
            self._limiter.take("mail_recipient", invite.address)
        about = await self._about(sender, room)
        try:
            stored = await self._storage.store(
                invite.id_server, invite.id_access_token, invite.medium, invite.address, about
            )
        except IdentityRefused as refusal:
            owner = refusal.fields_of_answer.get("mxid")
            if refusal.errcode == "M_THREEPID_IN_USE" and isinstance(owner, str):
                return owner
            raise
        await self._write(sender, room.room_id, stored)
        return None

    async def _write(self, sender: str, room_id: str, stored: StoredInvite) -> None:
        draft = Draft(sender=sender, type=THIRD_PARTY_INVITE, content=stored.content, state_key=stored.token)
        await self._writer.send(room_id, draft)
        _log.info("an address was invited", room_id=room_id)

    async def _about(self, sender: str, room: Room) -> dict[str, str]:
        """What the identity server may say in its mail."""
        await self._rooms.hold_state(room, [CREATE, *((event_type, "") for event_type, _ in _TOLD.values())])
        told = {name: content_of(room, event_type).get(field) for name, (event_type, field) in _TOLD.items()}
        profile = (await self._names.local_names([sender])).get(sender, {})
        told |= {"sender_display_name": profile.get("displayname"), "sender_avatar_url": profile.get("avatar_url")}
        shown = {name: v[:MAX_TOLD_CHARACTERS] for name, v in told.items() if isinstance(v, str) and v}
        return {"room_id": room.room_id, "sender": sender, **shown}
