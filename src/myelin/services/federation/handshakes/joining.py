"""Our users join rooms through other servers (spec: server-server API, "Joining Rooms")."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any
from weakref import WeakValueDictionary

import structlog

from myelin.matrix.auth_rules.domains import domain_of
from myelin.matrix.errors import EventFormatError, Forbidden, InvalidParam
from myelin.matrix.events.pdu import Pdu
from myelin.matrix.room_versions import RoomVersion
from myelin.services.federation.handshakes.asking_in_turn import AskingInTurn
from myelin.services.federation.handshakes.completing import Completing, Sending
from myelin.services.federation.handshakes.partial_rooms import PartialRooms
from myelin.services.federation.handshakes.received_room import ReceivedRooms
from myelin.services.federation.handshakes.residence import Residence
from myelin.services.federation.handshakes.resident_servers import ResidentServers
from myelin.services.federation.handshakes.signed_events import SignedEvents
from myelin.services.federation.handshakes.templates import Template, Wanted
from myelin.services.federation.peers.answers import in_pieces
from myelin.services.federation.peers.errors import PeerNonsense
from myelin.services.federation.peers.peers import MAX_STATE_BYTES
from myelin.services.federation.receiving.receiver import Receiver
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.graph.graph_writer import GraphWriter
from myelin.services.rooms.members import is_shell

SEND_JOIN_TIMEOUT_S = 120.0
OMIT_MEMBERS = ("omit_members", "true")

_log = structlog.get_logger("myelin.federation")


class Joining:
    """Joins through another server, and takes the room over."""

    def __init__(
        self,
        residence: Residence,
        rooms: Rooms,
        servers: ResidentServers,
        in_turn: AskingInTurn,
        completing: Completing,
        signed: SignedEvents,
        received: ReceivedRooms,
        graph: GraphWriter,
        receiver: Receiver,
        partial: PartialRooms,
    ) -> None:
        self._residence = residence
        self._rooms = rooms
        self._servers = servers
        self._in_turn = in_turn
        self._completing = completing
        self._signed = signed
        self._received = received
        self._graph = graph
        self._receiver = receiver
        self._partial = partial
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def join(self, user_id: str, room_id: str, via: Sequence[str], content: Mapping[str, Any]) -> None:
        """Join; it goes on where the client does not wait for it. Raises a MatrixError for the client."""
        task = asyncio.get_running_loop().create_task(self._join(user_id, room_id, via, content))
        task.add_done_callback(_seen)
        await asyncio.shield(task)

    async def _join(self, user_id: str, room_id: str, via: Sequence[str], content: Mapping[str, Any]) -> None:
        """Of two users who join a room at the same time the second finds it here, and is let in like into any other."""
        lock = self._locks.setdefault(room_id, asyncio.Lock())
        async with lock:
            servers = await self._candidates(user_id, room_id, via)
            wanted = Wanted(room_id, user_id, "join")
            await self._in_turn.ask(servers, lambda server: self._join_through(server, wanted, content))

    async def _candidates(self, user_id: str, room_id: str, via: Sequence[str]) -> list[str]:
        """Where the room is here, nobody here may let the user in: those come first who may."""
        room = await self._rooms.find(room_id)
        others = await self._servers.of(room_id, user_id, via)
        if room is None or not self._residence.is_in(room):
            return others
        return list(dict.fromkeys([*self._servers.who_may_invite(room), *others]))

    async def _join_through(self, server: str, wanted: Wanted, content: Mapping[str, Any]) -> None:
        try:
            template, pdu = await self._completing.make(server, wanted, content)
        except EventFormatError as error:
            raise InvalidParam(f"The membership cannot be as you want it: {error}") from error
        _check_authorising(template, server)
        room = await self._rooms.find(wanted.room_id)
        if room is not None and not is_shell(room) and room.version is not template.version:
            raise PeerNonsense("the room is known to have another version")
        if room is not None and self._residence.is_in(room):
            answer = await self._completing.send(server, pdu, _sending())
            await self._take_in(server, await self._as_authorised(pdu, template, answer))
            return
        with self._receiver.expecting(wanted.room_id):
            answer = await self._completing.send(server, pdu, _sending(OMIT_MEMBERS))
            pdu = await self._as_authorised(pdu, template, answer)
            await self._take_over(server, pdu, template.version, answer)

    async def _take_over(self, server: str, pdu: Pdu, version: RoomVersion, answer: Mapping[str, Any]) -> None:
        is_partial = answer.get("members_omitted") is True
        received = await self._received.read(answer, version, pdu, partial=is_partial)
        refused = [event for event in received.auth_chain if event.rejected]
        if refused:
            await self._graph.keep_outliers(version, refused, rejected=[event.event_id for event in refused])
        await self._graph.adopt(
            version,
            event=pdu,
            state=received.state,
            auth_chain=[event for event in received.auth_chain if not event.rejected],
            partial=is_partial,
            beside=self._partial.begun(pdu, server, answer.get("servers_in_room"), is_partial=is_partial),
        )
        if is_partial:
            self._partial.wake()
        _log.info("joined a room", room_id=pdu.room_id, server=server, partial=is_partial)

    async def _take_in(self, server: str, pdu: Pdu) -> None:
        """The join comes into a room that is here; what it hangs on may have to be fetched first."""
        await self._receiver.receive_pdu(server, pdu.raw)
        room = await self._rooms.get(pdu.room_id)
        if room.membership(pdu.sender) != "join":
            raise Forbidden("The room does not let you in any more")

    async def _as_authorised(self, pdu: Pdu, template: Template, answer: Mapping[str, Any]) -> Pdu:
        """The join with the signature of the server that lets the user into a restricted room."""
        if template.authorising_user is None:
            return pdu
        server = domain_of(template.authorising_user)
        return await self._signed.countersigned(pdu, template.version, server, answer.get("event"))


def _sending(*query: tuple[str, str]) -> Sending:
    return Sending(("v2", "v1"), query, SEND_JOIN_TIMEOUT_S, MAX_STATE_BYTES, in_pieces("state", "auth_chain"))


def _check_authorising(template: Template, server: str) -> None:
    """Only the server that is asked can say who lets the user in: our own signature must stand for nobody's say."""
    if template.authorising_user is not None and domain_of(template.authorising_user) != server:
        raise PeerNonsense("the template names somebody of another server who lets the user in")


def _seen(task: "asyncio.Task[None]") -> None:
    """What went wrong was told to the client, if one still waits."""
    if not task.cancelled():
        task.exception()
