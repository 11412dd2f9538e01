"""Memberships that clients set as plain state events."""

from typing import Any

from myelin.http.requester import Requester
from myelin.matrix.auth_rules.selection import AUTHORISING_USER
from myelin.matrix.errors import BadJson, InvalidParam
from myelin.matrix.events.pdu import StateKey
from myelin.matrix.identifiers import is_user_id
from myelin.services.membership.guests import Guests
from myelin.services.membership.inviting import Invite, Inviting
from myelin.services.membership.joining import GUEST_ACCESS, Entry, Joining
from myelin.services.membership.ports import LeaveChecks
from myelin.services.rooms.building import Draft
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.members import member_event, membership_of
from myelin.services.rooms.room import MEMBER
from myelin.services.rooms.sending import EventSender
from myelin.services.rooms.writer import RoomWriter


class MembershipState:
    """Takes `PUT /state/m.room.member/{user_id}` the ways that the membership endpoints go."""

    def __init__(
        self, rooms: Rooms, writer: RoomWriter, joining: Joining, inviting: Inviting, leave_checks: LeaveChecks
    ) -> None:
        self._rooms = rooms
        self._writer = writer
        self._joining = joining
        self._inviting = inviting
        self._leave_checks = leave_checks

    async def put(
        self, requester: Requester, room_id: str, user_id: str, content: dict[str, Any], ts: int | None = None
    ) -> str:
        """Set a membership; the event's ID. Raises Forbidden, NotFound, BadJson or InvalidParam."""
        sender = requester.user_id
        if not is_user_id(user_id):
            raise InvalidParam("The state key of a membership is a user ID")
        membership = content.get("membership")
        if not isinstance(membership, str):
            raise BadJson("A membership event says `membership`")
        # Only the server says who let somebody into a restricted room.
        content = {key: value for key, value in content.items() if key != AUTHORISING_USER}
        room = await self._rooms.get(room_id)
        if membership == "leave" and sender == user_id:
            await self._leave_checks.check(user_id, room_id, await membership_of(self._rooms, room, user_id))
        if membership == "invite" and sender != user_id:
            await self._inviting.invite(
                Invite(sender=sender, user_id=user_id, content=content, ts=ts, is_limited=requester.is_limited), room_id
            )
        elif membership == "join" and sender == user_id and room.membership(sender) != "join":
            await self._joining.join(_entry(requester, content, ts), room_id)
        elif membership == "knock" and sender == user_id:
            await self._joining.knock(_entry(requester, content, ts), room_id)
        else:
            draft = Draft(sender=sender, type=MEMBER, content=content, state_key=user_id, origin_server_ts=ts)
            return await self._writer.send(room_id, draft)
        pdu = await member_event(self._rooms, await self._rooms.get(room_id), user_id)
        assert pdu is not None
        return pdu.event_id


def _entry(requester: Requester, content: dict[str, Any], ts: int | None) -> Entry:
    return Entry(
        user_id=requester.user_id,
        is_guest=requester.is_guest,
        content=content,
        ts=ts,
        is_limited=requester.is_limited,
    )


class StateSender:
    """Sets state for clients, memberships and everything else."""

    def __init__(self, events: EventSender, memberships: MembershipState, guests: Guests) -> None:
        self._events = events
        self._memberships = memberships
        self._guests = guests

    async def put(
        self,
        requester: Requester,
        room_id: str,
        key: StateKey,
        content: dict[str, Any],
        *,
        ts: int | None = None,
        sticky_ms: int | None = None,
    ) -> str:
        """Set a piece of state; the event's ID, also where it says so already. Raises what sending raises."""
        event_type, state_key = key
        if event_type == MEMBER:
            return await self._memberships.put(requester, room_id, state_key, content, ts)
        event_id = await self._events.set_state(
            requester.user_id, room_id, event_type, state_key, content, ts=ts, sticky_ms=sticky_ms
        )
        if event_type == GUEST_ACCESS:
            await self._guests.enforce(room_id)
        return event_id
