"""The whole state of a room that was joined without its members."""

from collections.abc import Collection, Sequence

import structlog

from myelin.matrix.errors import NotFound
from myelin.matrix.events.pdu import Pdu, StateMap
from myelin.services.federation.handshakes.came_meanwhile import refused_by_whole
from myelin.services.federation.handshakes.received_room import ReceivedRoom, ReceivedRooms
from myelin.services.federation.handshakes.residence import Residence
from myelin.services.federation.peers.answers import in_pieces
from myelin.services.federation.peers.errors import PeerFailed, PeerUnreachable
from myelin.services.federation.peers.paths import path_of
from myelin.services.federation.peers.peers import MAX_STATE_BYTES, Peers
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.graph.graph_writer import GraphWriter
from myelin.services.rooms.graph.room_graph import RoomGraph
from myelin.services.rooms.room import Room
from myelin.store.partial_rooms import date_back, end_partial_room

TIMEOUT_S = 120.0
MAX_ASKED = 5
"""Servers that are asked in one attempt."""
KEPT_AT_ONCE = 1_000
"""Events that are written together."""

_log = structlog.get_logger("myelin.federation")


class MissingMembers:
    """Fetches it and puts it in the place of what is here."""

    def __init__(
        self,
        residence: Residence,
        rooms: Rooms,
        writer: GraphWriter,
        graph: RoomGraph,
        received: ReceivedRooms,
        peers: Peers,
    ) -> None:
        self._residence = residence
        self._rooms = rooms
        self._writer = writer
        self._graph = graph
        self._received = received
        self._peers = peers

    async def fetch(self, room_id: str, join_event_id: str, servers: Sequence[str]) -> bool:
        """Make the room whole; False where none of our users is in it by now. Raises PeerFailed."""
        room = await self._rooms.find(room_id)
        join = None if room is None else (await self._rooms.load([join_event_id], room.version)).get(join_event_id)
        if room is None or join is None or not self._residence.is_in(room):
            return False
        try:
            partial = dict(await self._graph.state_before(room, join_event_id))
        except NotFound:
            return False
        received = await self._ask(room, join, servers)
        await self._keep(room, received)
        whole = {pdu.key: pdu.event_id for pdu in received.state}
        refused = await self._refused(room_id, partial, received)
        await self._writer.replace_state(
            room_id,
            lambda now: _with_what_came(whole, partial, now, refused),
            known={pdu.event_id: pdu for pdu in received.state},
            with_each=lambda position: [date_back(room_id, position)],
            beside=[end_partial_room(room_id, join_event_id)],
        )
        self._graph.forget(room_id)
        return True

    async def _refused(self, room_id: str, partial: StateMap, received: ReceivedRoom) -> set[str]:
        """What came meanwhile and would not have been taken in."""
        room = await self._rooms.get(room_id)
        changed = [event_id for key, event_id in room.state.items() if partial.get(key) != event_id]
        came = (await self._graph.events.get(changed, room.version)).values()
        named = await self._graph.events.get({e for pdu in came for e in pdu.auth_events}, room.version)
        return refused_by_whole(came, named, received, room.version)

    async def _ask(self, room: Room, join: Pdu, servers: Sequence[str]) -> ReceivedRoom:
        failure: PeerFailed = PeerUnreachable("there is no server to ask")
        path = path_of("/_matrix/federation/v1/state/{}", room.room_id)
        for server in sorted(servers, key=self._peers.is_backing_off)[:MAX_ASKED]:
            try:
                answer = await self._peers.get(
                    server,
                    path,
                    query=[("event_id", join.event_id)],
                    timeout_s=TIMEOUT_S,
                    max_bytes=MAX_STATE_BYTES,
                    read=in_pieces("pdus", "auth_chain"),
                )
                return await self._received.read(answer, room.version, join, partial=False, state_name="pdus")
            except PeerFailed as error:
                _log.info("a server did not give the state of a room", room_id=room.room_id, failure=str(error))
                failure = error
        raise failure

    async def _keep(self, room: Room, received: ReceivedRoom) -> None:
        for pdus in (received.auth_chain, received.state):
            for start in range(0, len(pdus), KEPT_AT_ONCE):
                chunk = pdus[start : start + KEPT_AT_ONCE]
                rejected = [pdu.event_id for pdu in chunk if pdu.rejected]
                await self._writer.keep_outliers(room.version, chunk, rejected=rejected)


def _with_what_came(whole: StateMap, partial: StateMap, now: StateMap, refused: Collection[str]) -> StateMap:
    """The whole state before the join, and what has changed here since, but for what is refused of that."""
    changed = {key: e for key, e in now.items() if partial.get(key) != e and e not in refused}
    return {**whole, **changed}
