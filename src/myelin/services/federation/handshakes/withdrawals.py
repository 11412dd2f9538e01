"""Invites that are taken back, and knocks that are refused, in rooms that this server is not in."""

from myelin.matrix.auth_rules.domains import domain_of
from myelin.matrix.events.pdu import Pdu
from myelin.services.federation.handshakes.outside import PENDING, OutsideMemberships
from myelin.services.federation.handshakes.residence import Residence
from myelin.services.federation.handshakes.templates import MEMBER
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.members import member_event
from myelin.services.rooms.room import Room
from myelin.services.rooms.stripped_state import server_of

ENDED = ("leave", "ban")


class Withdrawals:
    """Takes in such events, of which nothing but their signatures can be checked."""

    def __init__(self, residence: Residence, rooms: Rooms, outside: OutsideMemberships) -> None:
        self._residence = residence
        self._rooms = rooms
        self._outside = outside

    async def take(self, room: Room, pdu: Pdu) -> bool:
        """Whether the event, rightly signed, ends an invite or a knock of our user, which then is over.

        Only a user of the server that the invite came from, or the knock went to, is believed.
        """
        user_id = pdu.state_key
        if pdu.type != MEMBER or user_id is None or not self._residence.is_ours(user_id):
            return False
        if pdu.content.get("membership") not in ENDED or self._residence.is_ours(pdu.sender):
            return False
        member = await member_event(self._rooms, room, user_id)
        if member is None or member.content.get("membership") not in PENDING:
            return False
        if domain_of(pdu.sender) != server_of(member):
            return False
        await self._outside.put(room.version, pdu)
        return True
