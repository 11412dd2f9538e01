"""Joining and knocking: by invitation, by the join rule, by being in another room, or through another server."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from myelin.http.rate_limits import RateLimiter
from myelin.matrix.auth_rules.selection import AUTHORISING_USER
from myelin.matrix.errors import Forbidden, NotFound
from myelin.services.membership.replaced_rooms import ReplacedRooms
from myelin.services.rooms.building import Draft
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.members import content_of, is_resident, is_shell, join_rule, membership_of
from myelin.services.rooms.ports import MemberNames, RemoteRoomSources
from myelin.services.rooms.restricted import CannotAuthorise, CannotGrant, RestrictedRooms
from myelin.services.rooms.room import MEMBER, Room
from myelin.services.rooms.writer import RoomWriter

GUEST_ACCESS = "m.room.guest_access"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who wants to come in."""

    user_id: str
    is_guest: bool = False
    reason: str | None = None
    via: Sequence[str] = ()
    """Servers to ask where this one is not in the room."""
    content: Mapping[str, Any] = {}
    """More for the membership event, such as names for this room alone."""
    ts: int | None = None
    """When it happened, where an application service says so."""
    is_limited: bool = True
    """Whether rate limits hold."""


class Joining:
    """Takes users of this server into rooms."""

    def __init__(
        self,
        server_name: str,
        rooms: Rooms,
        writer: RoomWriter,
        names: MemberNames,
        restricted: RestrictedRooms,
        remote: RemoteRoomSources,
        replaced: ReplacedRooms,
        limiter: RateLimiter,
    ) -> None:
        self._server_name = server_name
        self._rooms = rooms
        self._writer = writer
        self._names = names
        self._restricted = restricted
        self._remote = remote
        self._replaced = replaced
        self._limiter = limiter

    async def join(self, entry: Entry, room_id: str) -> None:
        """Join a room; nothing happens if the user is in it. Raises Forbidden or NotFound."""
        room = await self._rooms.find(room_id)
        if room is not None and room.membership(entry.user_id) == "join" and not entry.content:
            return
        if entry.is_limited:
            self._limiter.take("joins_per_room", room_id)
        content = await self._content("join", entry)
        if room is None or not self.is_here(room):
            await self._join_remotely(entry, room_id, content)
            return
        _check_guest(room, entry)
        try:
            await self._authorise(room, entry.user_id, content)
        except (CannotAuthorise, CannotGrant) as error:
            await self._join_through_others(room, entry, content, error)
            return
        await self._write(room_id, entry, content)
        await self._replaced.joined(entry.user_id, room)

    async def knock(self, entry: Entry, room_id: str) -> None:
        """Ask to be invited. Raises Forbidden or NotFound."""
        room = await self._rooms.find(room_id)
        content = await self._content("knock", entry)
        if room is None or not self.is_here(room):
            remote = self._remote.first()
            if remote is None:
                raise NotFound("There is no such room here")
            await remote.knock(entry.user_id, room_id, entry.via, content)
            return
        if not room.version.knock or join_rule(room) not in ("knock", "knock_restricted"):
            raise Forbidden("You are not allowed to knock on this room")
        membership = await membership_of(self._rooms, room, entry.user_id)
        if membership in ("join", "invite"):
            raise Forbidden(f"You cannot knock: you are {'in the room' if membership == 'join' else 'invited'} already")
        if membership == "ban":
            raise Forbidden("You are banned from this room")
        await self._write(room_id, entry, content)

    def is_here(self, room: Room) -> bool:
        """Whether this server can let users in: one of them is in the room, or nobody at all any more."""
        if room.partial_servers is not None:
            # Who is banned is not known yet.
            return False
        return is_resident(room, self._server_name) or not (room.joined or is_shell(room))

    async def _authorise(self, room: Room, user_id: str, content: dict[str, Any]) -> None:
        """Name who lets the user in, where the join rule asks for that; refuse in words where it is clear."""
        rule = join_rule(room)
        if rule == "public" or room.membership(user_id) is not None:
            return
        if await membership_of(self._rooms, room, user_id) == "ban":
            raise Forbidden("You are banned from this room")
        if not self._restricted.applies_to(room, rule):
            raise Forbidden("You are not invited to this room")
        content[AUTHORISING_USER] = await self._restricted.authorising_user(room, user_id)

    async def _join_remotely(self, entry: Entry, room_id: str, content: Mapping[str, Any]) -> None:
        remote = self._remote.first()
        if remote is None:
            raise NotFound("There is no such room here, and this server cannot ask others for it")
        if entry.is_guest:
            raise Forbidden("Guests may join only rooms that this server is in")
        await remote.join(entry.user_id, room_id, entry.via, content)
        room = await self._rooms.find(room_id)
        if room is not None:
            await self._replaced.joined(entry.user_id, room)

    async def _join_through_others(
        self, room: Room, entry: Entry, content: Mapping[str, Any], error: CannotAuthorise | CannotGrant
    ) -> None:
        """Nobody of this server can let the user in; another server of the room perhaps can."""
        if self._remote.first() is None or set(room.servers) <= {self._server_name}:
            raise Forbidden(error.message) from error
        await self._join_remotely(entry, room.room_id, content)

    async def _content(self, membership: str, entry: Entry) -> dict[str, Any]:
        names = (await self._names.local_names([entry.user_id])).get(entry.user_id, {})
        given = {key: value for key, value in entry.content.items() if key != AUTHORISING_USER}
        content = {**names, **given, "membership": membership}
        if entry.reason is not None:
            content["reason"] = entry.reason
        return content

    async def _write(self, room_id: str, entry: Entry, content: dict[str, Any]) -> None:
        user_id = entry.user_id
        draft = Draft(sender=user_id, type=MEMBER, content=content, state_key=user_id, origin_server_ts=entry.ts)
        await self._writer.send(room_id, draft)


def _check_guest(room: Room, entry: Entry) -> None:
    if entry.is_guest and content_of(room, GUEST_ACCESS).get("guest_access") != "can_join":
        raise Forbidden("Guests may not join this room")
