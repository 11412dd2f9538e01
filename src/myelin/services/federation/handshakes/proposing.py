"""Templates of membership events that users of other servers want (spec: `make_join`, `make_leave`, `make_knock`)."""

from collections.abc import Collection
from typing import Any

from myelin.matrix.auth_rules.domains import domain_of
from myelin.matrix.auth_rules.selection import AUTHORISING_USER
from myelin.matrix.errors import Forbidden, IncompatibleRoomVersion
from myelin.matrix.room_versions import EventIdFormat
from myelin.services.federation.handshakes.drafting import Drafting, member_draft
from myelin.services.federation.handshakes.residence import Residence
from myelin.services.federation.handshakes.templates import MEMBER
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.members import join_rule, membership_of
from myelin.services.rooms.restricted import RestrictedRooms
from myelin.services.rooms.room import Room
from myelin.telemetry.ambient import Clock

MAKES_NO_CONDITIONS = ("join", "invite", "ban")
"""Who is invited needs nobody to let them in; who is banned finds nobody."""


class Proposing:
    """Proposes events that the room's rules allow; whoever asked completes and signs them."""

    def __init__(
        self, residence: Residence, rooms: Rooms, restricted: RestrictedRooms, drafting: Drafting, clock: Clock
    ) -> None:
        self._residence = residence
        self._rooms = rooms
        self._restricted = restricted
        self._drafting = drafting
        self._clock = clock

    async def join(self, origin: str, room_id: str, user_id: str, versions: Collection[str]) -> dict[str, Any]:
        """A join. Raises NotFound, Forbidden, IncompatibleRoomVersion, CannotAuthorise or CannotGrant."""
        room = await self._room(origin, room_id, user_id)
        _check_version(room, versions)
        content: dict[str, Any] = {"membership": "join"}
        is_restricted = self._restricted.applies_to(room, join_rule(room))
        if is_restricted and await membership_of(self._rooms, room, user_id) not in MAKES_NO_CONDITIONS:
            content[AUTHORISING_USER] = await self._restricted.authorising_user(room, user_id)
        return await self._template(room, user_id, content)

    async def leave(self, origin: str, room_id: str, user_id: str) -> dict[str, Any]:
        """A leave: the end of an invite, of a knock or of a stay. Raises NotFound or Forbidden."""
        room = await self._room(origin, room_id, user_id)
        return await self._template(room, user_id, {"membership": "leave"})

    async def knock(self, origin: str, room_id: str, user_id: str, versions: Collection[str]) -> dict[str, Any]:
        """A knock. Raises NotFound, Forbidden or IncompatibleRoomVersion."""
        room = await self._room(origin, room_id, user_id)
        _check_version(room, versions)
        return await self._template(room, user_id, {"membership": "knock"})

    async def _room(self, origin: str, room_id: str, user_id: str) -> Room:
        if domain_of(user_id) != origin:
            raise Forbidden("You may ask for your own users only")
        return await self._residence.room(origin, room_id)

    async def _template(self, room: Room, user_id: str, content: dict[str, Any]) -> dict[str, Any]:
        place = await self._drafting.template(room, member_draft(user_id, user_id, content))
        with_pairs = room.version.event_id_format is EventIdFormat.SENDER_CHOSEN
        proposed: dict[str, Any] = {
            "type": MEMBER,
            "room_id": room.room_id,
            "sender": user_id,
            "state_key": user_id,
            "content": content,
            "depth": place.depth,
            "origin": self._residence.server_name,
            "origin_server_ts": self._clock.now_ms(),
            "prev_events": [[e, {}] for e in place.prev_events] if with_pairs else place.prev_events,
            "auth_events": [[e, {}] for e in place.auth_events] if with_pairs else place.auth_events,
        }
        return {"room_version": room.version.identifier, "event": proposed}


def _check_version(room: Room, versions: Collection[str]) -> None:
    identifier = room.version.identifier
    if identifier not in versions:
        raise IncompatibleRoomVersion("Your server does not support the room's version", room_version=identifier)
