"""Memberships of other servers' users, taken into our rooms (spec: `send_join`, `send_leave`, `send_knock`)."""

from collections.abc import Mapping
from typing import Any

from myelin.db.connection import Database
from myelin.http.rate_limits import RateLimiter
from myelin.matrix.auth_rules.domains import domain_of
from myelin.matrix.auth_rules.selection import AUTHORISING_USER
from myelin.matrix.errors import Forbidden, InvalidParam
from myelin.matrix.events.pdu import Pdu
from myelin.matrix.room_versions import RoomVersion
from myelin.services.federation.handshakes.checks import read_membership
from myelin.services.federation.handshakes.own_events import OwnEvents
from myelin.services.federation.handshakes.residence import Residence
from myelin.services.federation.handshakes.signed_events import SignedEvents
from myelin.services.federation.handshakes.templates import Wanted
from myelin.services.federation.receiving.receiver import Receiver
from myelin.services.rooms.members import join_rule
from myelin.services.rooms.restricted import RestrictedRooms
from myelin.services.rooms.room import Room
from myelin.store.events import IN_TIMELINE, EventStore


class Accepting:
    """Checks such an event, takes it into the room and sends it on to the room's other servers."""

    def __init__(
        self,
        residence: Residence,
        restricted: RestrictedRooms,
        signed: SignedEvents,
        own_events: OwnEvents,
        receiver: Receiver,
        database: Database,
        limiter: RateLimiter,
    ) -> None:
        self._residence = residence
        self._limiter = limiter
        self._restricted = restricted
        self._signed = signed
        self._own_events = own_events
        self._receiver = receiver
        self._events = EventStore(database)

    async def accept(
        self, origin: str, room_id: str, event_id: str, raw: Mapping[str, Any], membership: str
    ) -> tuple[Room, Pdu]:
        """The room and the event as it stands there now.

        Raises InvalidParam for an event that is none of the wanted kind, Forbidden, NotFound, LimitExceeded, and for a
        restricted room CannotAuthorise.
        """
        room = await self._residence.room(origin, room_id)
        pdu = read_membership(raw, room.version, Wanted(room_id, "", membership), event_id, origin)
        await self._signed.check(pdu, room.version, self._signers(pdu, room.version))
        if not await self._is_there(pdu):
            if membership == "join":
                self._limiter.take("joins_per_room", room_id)
                pdu = await self._authorised(room, pdu)
            await self._receiver.accept(origin, pdu, is_sent_on=True)
        elif membership == "join" and self._is_authorised_here(pdu, room.version):
            pdu = self._own_events.countersigned(pdu, room.version)
        return room, pdu

    async def accept_as_of_old(
        self, origin: str, room_id: str, event_id: str, raw: Mapping[str, Any], membership: str
    ) -> tuple[Room, Pdu]:
        """The same for the endpoints before version 2, where it was forbidden to hand in what is not as it must be."""
        try:
            return await self.accept(origin, room_id, event_id, raw, membership)
        except InvalidParam as error:
            raise Forbidden(error.message) from error

    def _signers(self, pdu: Pdu, version: RoomVersion) -> list[str]:
        """Who must have signed it: the sender's server and, in a restricted room, that of who lets them in."""
        servers = {domain_of(pdu.sender)}
        authorising = pdu.content.get(AUTHORISING_USER)
        if version.restricted and isinstance(authorising, str):
            servers.add(domain_of(authorising))
        return sorted(servers - {self._residence.server_name})

    def _is_authorised_here(self, pdu: Pdu, version: RoomVersion) -> bool:
        authorising = pdu.content.get(AUTHORISING_USER)
        return version.restricted and isinstance(authorising, str) and self._residence.is_ours(authorising)

    async def _authorised(self, room: Room, pdu: Pdu) -> Pdu:
        """The join with our signature where one of our users lets the sender in.

        The template said so once; but nothing shows that there was one, and the user may not meet the conditions. So
        they are looked at again: who could have this signed without them could enter the room at will.
        """
        if not self._is_authorised_here(pdu, room.version):
            return pdu
        if not self._restricted.applies_to(room, join_rule(room)):
            raise Forbidden("The room's members let nobody in by being in another room")
        await self._restricted.check_conditions(room, pdu.sender)
        return self._own_events.countersigned(pdu, room.version)

    async def _is_there(self, pdu: Pdu) -> bool:
        """Whether the event was taken in before: the answer may have been lost on its way."""
        places = await self._events.places([pdu.event_id])
        return any(place.room_id == pdu.room_id and place.flags == IN_TIMELINE for place in places)
