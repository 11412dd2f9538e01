"""Invites of our users into rooms of other servers (spec: `PUT /invite/{roomId}/{eventId}`, v1 and v2)."""

from typing import Any

import msgspec

from myelin.db.connection import Database
from myelin.http.rate_limits import RateLimiter
from myelin.matrix.errors import Forbidden, IncompatibleRoomVersion
from myelin.matrix.events.parse import parse_pdu
from myelin.matrix.events.pdu import Pdu
from myelin.matrix.room_versions import ROOM_VERSIONS, RoomVersion
from myelin.services.accounts.ports import ReservedUserNamespaces
from myelin.services.federation.handshakes.checks import read_invite
from myelin.services.federation.handshakes.introduction import Introduction
from myelin.services.federation.handshakes.outside import OutsideMemberships
from myelin.services.federation.handshakes.own_events import OwnEvents
from myelin.services.federation.handshakes.residence import Residence
from myelin.services.federation.handshakes.signed_events import SignedEvents
from myelin.services.federation.handshakes.templates import ASSUMED_VERSION, Wanted
from myelin.services.federation.receiving.receiver import may_take_part
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.invite_permission import InvitePermission
from myelin.services.rooms.members import membership_of
from myelin.services.rooms.stripped_state import with_stripped_state
from myelin.store.users import UserStore


class Invitation(msgspec.Struct, frozen=True):
    """An invite as another server hands it in."""

    room_id: str
    event_id: str
    room_version: str
    event: Any
    room_state: Any = None


class BeingInvited:
    """Signs invites for users of this server and shows them to them."""

    def __init__(
        self,
        residence: Residence,
        rooms: Rooms,
        signed: SignedEvents,
        own_events: OwnEvents,
        introduction: Introduction,
        outside: OutsideMemberships,
        permission: InvitePermission,
        reserved: ReservedUserNamespaces,
        database: Database,
        limiter: RateLimiter,
    ) -> None:
        self._residence = residence
        self._rooms = rooms
        self._signed = signed
        self._own_events = own_events
        self._introduction = introduction
        self._outside = outside
        self._permission = permission
        self._reserved = reserved
        self._users = UserStore(database)
        self._limiter = limiter

    async def invite(self, origin: str, invitation: Invitation) -> dict[str, Any]:
        """The invite with our signature.

        Raises IncompatibleRoomVersion, InvalidParam, MissingParam, Forbidden, LimitExceeded or M_INVITE_BLOCKED.
        """
        version = ROOM_VERSIONS.get(invitation.room_version)
        if version is None:
            raise IncompatibleRoomVersion(
                "This server does not support the room's version", room_version=invitation.room_version
            )
        room = await self._rooms.find(invitation.room_id)
        if room is not None and self._residence.is_in(room) and not may_take_part(room, origin):
            raise Forbidden("The room does not let your server take part")
        wanted = Wanted(invitation.room_id, "", "invite")
        pdu = read_invite(invitation.event, version, wanted, invitation.event_id, origin, self._residence.server_name)
        await self._signed.check(pdu, version, [origin])
        await self._check_welcome(pdu)
        told = await self._told(pdu, version, invitation)
        signed = self._own_events.countersigned(pdu, version)
        room = await self._rooms.find(pdu.room_id)
        if room is not None and self._residence.is_in(room):
            # It comes once more, as an event of the room.
            if await membership_of(self._rooms, room, str(pdu.state_key)) in ("join", "ban"):
                raise Forbidden("The user is in the room already, or banned")
        else:
            raw = with_stripped_state(signed.raw, "invite", told)
            await self._outside.put(version, parse_pdu(raw, version, event_id=pdu.event_id))
        return signed.raw

    async def _check_welcome(self, pdu: Pdu) -> None:
        """Whether the user is there and wants invites, and does not get too many of them.

        Users of application services may come into being by what happens to them.
        """
        user_id = str(pdu.state_key)
        if not any(names.is_exclusive(user_id) for names in self._reserved) and not await self._users.existing(
            [user_id]
        ):
            raise Forbidden("There is no such user here")
        await self._permission.check([user_id], pdu.sender)
        self._limiter.take("invites_per_user", user_id)

    async def _told(self, pdu: Pdu, version: RoomVersion, invitation: Invitation) -> list[dict[str, Any]]:
        """The stripped state; from version 12 on nothing of it may be unproven, since the room ID proves it."""
        read = self._introduction.read_proven if version.room_id_is_create_hash else self._introduction.read
        return await read(invitation.room_state, version, pdu.room_id, pdu.sender)


def assumed_version(room_state: Any) -> str:
    """The room version of an invite that names none: what the create event says, if it is told, of those it may be."""
    for entry in room_state if isinstance(room_state, list) else ():
        content = entry.get("content") if isinstance(entry, dict) and entry.get("type") == "m.room.create" else None
        if isinstance(content, dict) and content.get("room_version") == "2":
            return "2"
    return ASSUMED_VERSION
