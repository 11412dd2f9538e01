"""Rooms whose ends pile up, since nobody here speaks: an event of ours that nobody is shown ties them together."""

from collections.abc import Sequence
from functools import partial

import structlog

from myelin.db.committer import Committer, Write
from myelin.db.connection import DatabaseError
from myelin.matrix.auth_rules import auth_event_keys_for, check_auth_rules
from myelin.matrix.errors import AuthRejected
from myelin.matrix.events.pdu import Pdu
from myelin.services.rooms.building import MAX_ENDS, Builder, Draft
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.graph.branches import Branches, Open, write_alone
from myelin.services.rooms.graph.events_by_id import TooMuchWork
from myelin.services.rooms.graph.incoming import Incoming
from myelin.services.rooms.graph.placing import DUMMY
from myelin.services.rooms.graph.room_graph import RoomGraph
from myelin.services.rooms.graph.state_point import StatePoint
from myelin.services.rooms.room import CREATE, Room
from myelin.services.rooms.tip import Tip

_log = structlog.get_logger("myelin.rooms")

MAX_ASKED = 20
"""Users of ours who are tried as sender."""
MAX_TIES = 20
"""Events that are sent at once for one room."""


class Ties:
    """Ties ends."""

    def __init__(
        self,
        server_name: str,
        rooms: Rooms,
        graph: RoomGraph,
        branches: Branches,
        committer: Committer,
        builder: Builder,
    ) -> None:
        self._server_name = server_name
        self._rooms = rooms
        self._graph = graph
        self._branches = branches
        self._committer = committer
        self._builder = builder

    async def tie(self, room_id: str) -> None:
        """Have no more ends than one event can hang on, as far as one of our users may speak in the room."""
        for _ in range(MAX_TIES):
            written: list[Pdu] = []
            try:
                await write_alone(self._rooms, self._committer, room_id, partial(self._make, written))
            except (TooMuchWork, DatabaseError) as error:
                _log.warning("the ends of a room could not be tied", room_id=room_id, error=str(error))
                return
            if not written:
                return

    async def _make(self, written: list[Pdu], open_room: Open) -> Write | None:
        room, tip = await open_room()
        if len(tip.extremities) <= MAX_ENDS:
            return None
        ends = tip.extremities[:MAX_ENDS]
        before = await self._graph.meet(room, list((await self._graph.points_after(room.room_id, ends)).values()))
        pdu = await self._build(room, tip, ends, before)
        if pdu is None:
            _log.warning("nobody here may tie the ends of a room", room_id=room.room_id, ends=len(tip.extremities))
            return None
        written.append(pdu)
        return await self._branches.make(open_room, Incoming(pdu, before, sent_on_from=self._server_name))

    async def _build(self, room: Room, tip: Tip, ends: Sequence[str], before: StatePoint) -> Pdu | None:
        """The event by the first of our users who may send it."""
        hung_on = Tip(room.room_id, room.version.identifier, version=0, extremities=tuple(ends), depth=tip.depth)
        ours = sorted(user for user in room.joined if user.partition(":")[2] == self._server_name)
        for user_id in ours[:MAX_ASKED]:
            keys = auth_event_keys_for(DUMMY, user_id, None, {}, room.version)
            entries = await self._graph.entries(room, before, keys)
            found = await self._graph.events.get(entries.values(), room.version)
            state = {key: found[event_id] for key, event_id in entries.items() if event_id in found}
            draft = Draft(sender=user_id, type=DUMMY, content={})
            auth_events = [event.event_id for event in state.values()]
            pdu = self._builder.build(draft, room.version, room.room_id, hung_on, auth_events)
            try:
                check_auth_rules(pdu, state, room.version, create=room.current(*CREATE))
            except AuthRejected:
                continue
            return pdu
        return None
