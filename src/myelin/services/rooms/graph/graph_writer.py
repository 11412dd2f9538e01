"""Writes events that do not simply come next on our own tip."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from myelin.db.committer import Committer, GuardFailed, Write
from myelin.db.connection import Database, DatabaseError
from myelin.db.sql import Statement
from myelin.matrix.events.pdu import Pdu, StateKey, StateMap
from myelin.matrix.room_versions import RoomVersion
from myelin.services.rooms.building import MAX_ENDS, Builder
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.graph.adoption import Adoption, Arrival
from myelin.services.rooms.graph.backfilling import Backfilling
from myelin.services.rooms.graph.branches import MAX_ASIDE, Beside, Branches, Open, nothing_beside, write_alone
from myelin.services.rooms.graph.ends import Ends
from myelin.services.rooms.graph.events_by_id import NOTHING
from myelin.services.rooms.graph.incoming import Incoming
from myelin.services.rooms.graph.linear import LinearWriting
from myelin.services.rooms.graph.outliers import Outliers
from myelin.services.rooms.graph.outside_memberships import OutsideMemberships
from myelin.services.rooms.graph.redacting import Redacting
from myelin.services.rooms.graph.room_graph import RoomGraph
from myelin.services.rooms.graph.starts import Starts
from myelin.services.rooms.graph.state_point import difference
from myelin.services.rooms.graph.ties import Ties
from myelin.services.rooms.room import Room
from myelin.services.rooms.rows import EventIndex
from myelin.services.rooms.writer import MAX_ATTEMPTS

NewState = StateMap | Callable[[StateMap], StateMap]
REPLACED_AT_ONCE = MAX_ASIDE
"""Entries of a state that are replaced in one write: so many are told with their events, and hold up nobody."""


class Replacing(NamedTuple):
    """A state that is to be, and what is written with it."""

    state: NewState
    known: Mapping[str, Pdu]
    with_each: Beside
    beside: Sequence[Statement]

    def wanted(self, now: StateMap) -> StateMap:
        """The state that is to be where it is this now."""
        return self.state(now) if callable(self.state) else self.state

    def more(self, *, is_last: bool) -> Beside:
        """What is written with one of the writes."""
        return lambda position: [*self.with_each(position), *(self.beside if is_last else ())]


class GraphWriter:
    """Writes events of other servers, under the same guard as our own."""

    def __init__(
        self,
        server_name: str,
        rooms: Rooms,
        graph: RoomGraph,
        committer: Committer,
        database: Database,
        builder: Builder,
        indexes: Sequence[EventIndex] = (),
    ) -> None:
        self._ours = f":{server_name}"
        self._rooms = rooms
        self._graph = graph
        self._committer = committer
        redacting = Redacting(database, indexes)
        self._linear = LinearWriting(committer, redacting, indexes)
        self._branches = Branches(rooms, graph, Ends(database, graph), committer, redacting, indexes)
        self._ties = Ties(server_name, rooms, graph, self._branches, committer, builder)
        self._outliers = Outliers(database, committer, graph.events)
        self._adoption = Adoption(database, rooms, graph, committer, indexes)
        self._outside = OutsideMemberships(database, rooms, committer)
        self._starts = Starts(database)
        self._backfilling = Backfilling(database, graph, redacting, indexes, self._starts)

    def is_live(self, room: Room) -> bool:
        """Whether one of our users is in the room, so that its events reach this server."""
        return any(user_id.endswith(self._ours) for user_id in room.joined)

    async def receive(self, room_id: str, incoming: Sequence[Incoming]) -> None:
        """Write events of the timeline, each after those that it hangs on; what is there already is passed over.

        Raises NotFound where the room is not here, TooMuchWork where a resolution takes more than anybody needs.
        """
        todo = list(incoming)
        failures = 0
        while todo:
            room, tip = await self._rooms.open(room_id)
            here = await self._graph.places(room_id, [item.pdu.event_id for item in todo])
            todo = [item for item in todo if item.pdu.event_id not in here]
            if not todo:
                return
            try:
                written = await self._linear.write(room, tip, todo)
            except GuardFailed:
                failures += 1
                if failures >= MAX_ATTEMPTS:
                    raise DatabaseError(
                        f"the room {room_id} is written to faster than this process can follow"
                    ) from None
                written = 0
            if not written:
                # Not next on the tip; or another process is faster, and with the room to itself this one gets its turn.
                written = await self._write_one(room, todo)
            self._graph.events.forget(item.pdu.event_id for item in todo[:written])
            todo = todo[written:]

    async def _write_one(self, room: Room, todo: Sequence[Incoming]) -> int:
        """Write the first event."""
        if todo[0].is_accepted:
            await self._branches.write(room.room_id, todo[0])
            await self.tie(room.room_id)
            return 1
        await self._outliers.keep_unseen([(todo[0], await self._branches.point_before(room, todo[0]))])
        return 1

    async def tie(self, room_id: str) -> None:
        """Where the ends of a room have piled up, tie them together by an event that nobody is shown."""
        room, tip = await self._rooms.open(room_id)
        if len(tip.extremities) > MAX_ENDS and self.is_live(room):
            await self._ties.tie(room_id)

    async def keep_outliers(self, version: RoomVersion, pdus: Sequence[Pdu], *, rejected: Collection[str] = ()) -> None:
        """Keep events that authorize others or are state, and have no place in the timeline. `rejected` are IDs."""
        del version  # the events are parsed; the seam names it since others need it
        await self._outliers.keep(pdus, rejected)

    async def adopt(
        self,
        version: RoomVersion,
        *,
        event: Pdu,
        state: Sequence[Pdu],
        auth_chain: Sequence[Pdu],
        partial: bool = False,
        beside: Sequence[Statement] = (),
    ) -> Room:
        """Take over a room that one of our users has joined through another server by `event`.

        `state` is the state before it. The room is new here, or one that our users had left or were only invited to;
        where one of them is in it already, the event is taken in like any other. With `partial` memberships may be
        missing from the state until `replace_state` brings the whole. `beside` is written in the same transaction.
        """
        unique = {pdu.event_id: pdu for pdu in (*auth_chain, *state) if pdu.event_id != event.event_id}
        await self._outliers.keep(list(unique.values()))
        held = await self._rooms.find(event.room_id)
        if held is not None and self.is_live(held):
            before = None if partial else {pdu.key: pdu.event_id for pdu in state}
            await self.receive(event.room_id, [Incoming(event, before)])
            return await self._rooms.get(event.room_id)
        return await self._adoption.adopt(Arrival(version, event, state, partial=partial), beside)

    async def put_outside_membership(self, version: RoomVersion, event: Pdu) -> None:
        """Write a membership of one of our users in a room that this server is not in: an invite, a knock, a leave.

        A room that is not known becomes a shell: it has no ends, and no state but such memberships.
        """
        await self._outside.put(version, event)

    async def start_of(self, room_id: str) -> StateMap:
        """The state before all that is here of a room; its events are here."""
        return (await self._starts.of(room_id)).state

    async def backfill(self, room_id: str, pdus: Sequence[Pdu], state_before: StateMap) -> int:
        """Write events older than all that is here, each after those that it hangs on; how many are new and accepted.

        `state_before` is the state before the first; its events are here.
        """
        return await self._backfilling.write(await self._rooms.get(room_id), pdus, state_before)

    async def replace_state(
        self,
        room_id: str,
        state: NewState,
        *,
        known: Mapping[str, Pdu] = NOTHING,
        with_each: Beside = nothing_beside,
        beside: Sequence[Statement] = (),
    ) -> None:
        """The room's state is this, from new positions on; its events are here, and `known` are some of them.

        What is much takes several writes; `with_each` gives what is written with each of them, `beside` is written with
        the last. A function is given the state as it is when it is replaced.
        """
        replacing = Replacing(state, known, with_each, beside)
        is_done = False
        while not is_done:
            is_done = await self._replace_some(room_id, replacing)

    async def set_ends(self, room_id: str, ends: Sequence[str], depth: int) -> None:
        """These are the room's ends, after a repair; what its state is then is another matter."""

        async def make(open_room: Open) -> Write:
            room, tip = await open_room()
            tip.extremities, tip.depth = tuple(ends), depth
            return self._branches.state_write(room, tip, await self._branches.change_of(room, {}))

        await write_alone(self._rooms, self._committer, room_id, make)

    async def _replace_some(self, room_id: str, replacing: Replacing) -> bool:
        """Replace as much as one write takes; whether that was all."""
        done = False

        async def make(open_room: Open) -> Write | None:
            nonlocal done
            room, tip = await open_room()
            entries = difference(room.state, replacing.wanted(room.state))
            some: dict[StateKey, str | None] = dict(list(entries.items())[:REPLACED_AT_ONCE])
            done = len(some) == len(entries)
            if not some and not replacing.beside:
                return None
            change = await self._branches.change_of(room, some, replacing.known)
            return self._branches.state_write(room, tip, change, replacing.more(is_last=done), is_whole=done)

        await write_alone(self._rooms, self._committer, room_id, make)
        return done
