"""Our users invite users of other servers, whose servers sign the invite too (spec: "Inviting to a room")."""

from collections.abc import Mapping
from typing import Any

from myelin.matrix.auth_rules.domains import domain_of
from myelin.matrix.errors import EventFormatError, InvalidParam, NotFound
from myelin.matrix.events.pdu import Pdu
from myelin.matrix.identifiers import is_server_name
from myelin.matrix.room_versions import EventIdFormat
from myelin.services.federation.handshakes.drafting import Drafting, member_draft
from myelin.services.federation.handshakes.introduction import Introduction
from myelin.services.federation.handshakes.own_events import OwnEvents
from myelin.services.federation.handshakes.refusals import invite_error
from myelin.services.federation.handshakes.residence import Residence
from myelin.services.federation.handshakes.signed_events import SignedEvents
from myelin.services.federation.handshakes.templates import Wanted
from myelin.services.federation.peers.errors import PeerFailed, PeerRefused
from myelin.services.federation.peers.paths import path_of
from myelin.services.federation.peers.peers import Peers
from myelin.services.federation.receiving.receiver import Receiver
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.room import Room

TIMEOUT_S = 20.0
OLDER_STATUSES = (400, 404)
"""By these answers to the newer endpoint a server may mean that it knows only the older one."""


class Inviting:
    """Has invites signed by the servers of those who are invited, and puts them into our rooms."""

    def __init__(
        self,
        residence: Residence,
        rooms: Rooms,
        drafting: Drafting,
        own_events: OwnEvents,
        introduction: Introduction,
        signed: SignedEvents,
        peers: Peers,
        receiver: Receiver,
    ) -> None:
        self._residence = residence
        self._rooms = rooms
        self._drafting = drafting
        self._own_events = own_events
        self._introduction = introduction
        self._signed = signed
        self._peers = peers
        self._receiver = receiver

    async def invite(self, sender: str, user_id: str, room_id: str, content: Mapping[str, Any]) -> None:
        """Invite a user. Raises Forbidden, NotFound, InvalidParam, or what the user's server has against it."""
        server = domain_of(user_id)
        room = await self._rooms.find(room_id)
        if room is None or not self._residence.is_in(room):
            raise NotFound("There is no such room here")
        if not is_server_name(server):
            raise InvalidParam("The user's server has no valid name")
        content = {**content, "membership": "invite"}
        place = await self._drafting.template(room, member_draft(sender, user_id, content))
        try:
            pdu = self._own_events.make(Wanted(room_id, user_id, "invite"), content, place, sender=sender)
        except EventFormatError as error:
            raise InvalidParam(f"The invite cannot be as you want it: {error}") from error
        try:
            signed = await self._signed_by(server, pdu, room)
        except PeerFailed as failure:
            raise invite_error(failure) from failure
        await self._receiver.accept(self._residence.server_name, signed)

    async def _signed_by(self, server: str, pdu: Pdu, room: Room) -> Pdu:
        """The invite with the other server's signature."""
        answer = await self._hand_in(server, pdu, room)
        event = answer.get("event") if isinstance(answer, dict) else None
        return await self._signed.countersigned(pdu, room.version, server, event)

    async def _hand_in(self, server: str, pdu: Pdu, room: Room) -> Any:
        state = await self._introduction.of(room, pdu.sender)
        body = {"room_version": room.version.identifier, "event": pdu.raw, "invite_room_state": state}
        try:
            return await self._put(server, "v2", pdu, body)
        except PeerRefused as refusal:
            is_old = room.version.event_id_format is EventIdFormat.SENDER_CHOSEN
            if not is_old or refusal.status not in OLDER_STATUSES:
                raise
        answer = await self._put(server, "v1", pdu, {**pdu.raw, "unsigned": {"invite_room_state": state}})
        return answer[1] if isinstance(answer, list) and len(answer) == 2 else answer

    async def _put(self, server: str, version: str, pdu: Pdu, body: Mapping[str, Any]) -> Any:
        path = path_of(f"/_matrix/federation/{version}/invite/{{}}/{{}}", pdu.room_id, pdu.event_id)
        return await self._peers.put(server, path, body, timeout_s=TIMEOUT_S, despite_backoff=True)
