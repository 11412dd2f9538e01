"""Inviting users of this server and others."""

from collections.abc import Mapping
from typing import Any

import msgspec

from myelin.http.rate_limits import RateLimiter
from myelin.matrix.auth_rules.selection import AUTHORISING_USER
from myelin.matrix.errors import Forbidden, InvalidParam
from myelin.matrix.identifiers import is_user_id
from myelin.services.rooms.building import Draft
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.invite_permission import InvitePermission
from myelin.services.rooms.members import membership_of
from myelin.services.rooms.ports import MemberNames, RemoteRoomSources
from myelin.services.rooms.room import MEMBER
from myelin.services.rooms.writer import RoomWriter


class Invite(msgspec.Struct, frozen=True, kw_only=True):
    """Who invites whom."""

    sender: str
    user_id: str
    reason: str | None = None
    content: Mapping[str, Any] = {}
    """More for the membership event, such as `is_direct`."""
    ts: int | None = None
    """When it happened, where an application service says so."""
    is_limited: bool = True
    """Whether rate limits hold."""


class Inviting:
    """Invites into rooms."""

    def __init__(
        self,
        server_name: str,
        rooms: Rooms,
        writer: RoomWriter,
        names: MemberNames,
        permission: InvitePermission,
        remote: RemoteRoomSources,
        limiter: RateLimiter,
    ) -> None:
        self._suffix = f":{server_name}"
        self._rooms = rooms
        self._writer = writer
        self._names = names
        self._permission = permission
        self._remote = remote
        self._limiter = limiter

    async def invite(self, invite: Invite, room_id: str) -> None:
        """Invite a user. Raises Forbidden, InvalidParam, NotFound, LimitExceeded or M_INVITE_BLOCKED."""
        sender, user_id = invite.sender, invite.user_id
        if not is_user_id(user_id):
            raise InvalidParam("This is not a user ID")
        room = await self._rooms.get(room_id)
        if room.membership(sender) != "join":
            raise Forbidden("You are not in this room")
        membership = await membership_of(self._rooms, room, user_id)
        if membership == "join":
            raise Forbidden(f"{user_id} is in the room already")
        if membership == "ban":
            raise Forbidden(f"{user_id} is banned from the room")
        await self._permission.check([user_id], sender)
        if invite.is_limited:
            self._limiter.take("invites_per_user", user_id)
        content = await self._content(invite)
        if user_id.endswith(self._suffix):
            draft = Draft(sender=sender, type=MEMBER, content=content, state_key=user_id, origin_server_ts=invite.ts)
            await self._writer.send(room_id, draft)
            return
        remote = self._remote.first()
        if remote is None:
            raise Forbidden("This server does not talk to other servers: only its own users can be invited")
        await remote.invite(sender, user_id, room_id, content)

    async def _content(self, invite: Invite) -> dict[str, Any]:
        user_id = invite.user_id
        names = (await self._names.local_names([user_id])).get(user_id, {}) if user_id.endswith(self._suffix) else {}
        given = {key: value for key, value in invite.content.items() if key != AUTHORISING_USER}
        content = {**names, **given, "membership": "invite"}
        if invite.reason is not None:
            content["reason"] = invite.reason
        return content
