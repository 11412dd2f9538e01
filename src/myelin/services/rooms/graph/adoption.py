"""How a room comes here that another server has let one of our users into.

What is large goes in before, in chunks, while the log goes on: the events as outliers, and the state before the join as
intervals that hold from the start. Then one write makes the room, with the join as its only event.
"""

from collections.abc import Collection, Sequence

from myelin.bus.news import RoomEvents
from myelin.db.committer import Committer, GuardFailed, Write
from myelin.db.connection import Database, DatabaseError
from myelin.db.sql import Statement
from myelin.matrix.events.pdu import Pdu, StateKey, StateMap
from myelin.matrix.room_versions import RoomVersion
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.graph.branches import Change, Open, write_alone
from myelin.services.rooms.graph.outliers import AT_ONCE
from myelin.services.rooms.graph.placing import change_statements, memberships_of, move_statement, row_statement
from myelin.services.rooms.graph.room_graph import RoomGraph
from myelin.services.rooms.graph.state_point import StatePoint, difference
from myelin.services.rooms.room import MEMBER, Room
from myelin.services.rooms.room_types import CREATE, type_statements
from myelin.services.rooms.rows import EventIndex, membership_in
from myelin.services.rooms.tip import Tip
from myelin.services.rooms.writer import MAX_ATTEMPTS
from myelin.store.events import IN_TIMELINE
from myelin.store.graph import (
    FROM_THE_START,
    GraphStore,
    drop_other_starts,
    drop_start,
    lift_from_timeline,
    put_floor,
    put_interval,
    put_missing,
)
from myelin.store.log import LogStore
from myelin.store.rooms import RoomStore, StoredRoom, put_room_version
from myelin.store.state import OPEN

NO_ENDS = "[]"
"""The ends of a shell: a room of which this server knows nothing but memberships of its own users."""


class Arrival:
    """A join, with the state before it."""

    def __init__(self, version: RoomVersion, event: Pdu, state: Sequence[Pdu], *, partial: bool) -> None:
        self.version = version
        self.event = event
        self.partial = partial
        self.pdus = {pdu.event_id: pdu for pdu in state}
        self.state: StateMap = {pdu.key: pdu.event_id for pdu in state}

    def entries(self, held: StateMap, gone: Collection[StateKey] = ()) -> dict[StateKey, str | None]:
        """What becomes of a state that was here, the join included.

        Members that were not sent stay as they are, but for those that are `gone`.
        """
        entries = difference(held, self.state)
        if self.partial:
            entries = {key: e for key, e in entries.items() if e is not None or key[0] != MEMBER or key in gone}
        entries[self.event.key] = self.event.event_id
        return entries

    def change(self, held: StateMap, gone: Collection[StateKey] = ()) -> Change:
        """The same with the events."""
        entries = self.entries(held, gone)
        pdus = {e: self.pdus[e] for e in entries.values() if e in self.pdus}
        pdus[self.event.event_id] = self.event
        return Change(entries, pdus, frozenset(key for key in entries if key in held))

    def statements(self, position: int, change: Change, missing: Sequence[str]) -> list[Statement]:
        """What is written at the join's position."""
        room_id = self.event.room_id
        before = StatePoint(position, {self.event.key: self.state.get(self.event.key)})
        return [
            row_statement(self.event, position, IN_TIMELINE, before),
            *change_statements(room_id, position, change.entries, memberships_of(change.pdus.values()), change.begun),
            move_statement(room_id, position, ended=change.ended, is_gap=True),
            put_floor(room_id, position),
            *(put_missing(room_id, event_id, self.event.event_id) for event_id in missing),
        ]

    def news(self, change: Change) -> RoomEvents:
        """What is told."""
        return RoomEvents(self.event.room_id, (self.event,), state=tuple(change.entries.items()), is_gap=True)


class Adoption:
    """Takes over rooms."""

    def __init__(
        self,
        database: Database,
        rooms: Rooms,
        graph: RoomGraph,
        committer: Committer,
        indexes: Sequence[EventIndex],
    ) -> None:
        self._database = database
        self._rooms = rooms
        self._graph = graph
        self._committer = committer
        self._indexes = indexes
        self._stored = RoomStore(database)
        self._gaps = GraphStore(database)

    async def adopt(self, arrival: Arrival, beside: Sequence[Statement] = ()) -> Room:
        """Write the room; the events of its state are kept already. Nobody of this server is joined to it."""
        room_id = arrival.event.room_id
        for _ in range(MAX_ATTEMPTS):
            row = await self._stored.room(room_id)
            if row is None or row.extremities == NO_ENDS:
                if await self._begin(arrival, row, beside):
                    break
            else:
                await write_alone(self._rooms, self._committer, room_id, lambda o: self._come_back(o, arrival, beside))
                break
        else:
            raise DatabaseError(f"the room {room_id} could not be taken over")
        await self._index(arrival)
        return await self._rooms.get(room_id)

    async def _begin(self, arrival: Arrival, row: StoredRoom | None, beside: Sequence[Statement]) -> bool:
        """Write a room that is new here, or a shell; False where another was faster."""
        room_id, event = arrival.event.room_id, arrival.event
        shell = {}
        if row is not None:
            shell = {(e.type, e.state_key): e.event_id for e in await self._gaps.open_entries(room_id)}
        start = await self._lay_state(arrival, room_id)
        held = {**arrival.state, **shell}
        # Of invites that named another version nothing can be read in this one.
        is_other = row is not None and row.room_version != arrival.version.identifier
        change = arrival.change(held, shell if is_other else ())
        missing = await self._missing(event)
        version = arrival.version.identifier
        tip = Tip(
            room_id,
            version,
            version=row.version if row else 0,
            extremities=(event.event_id,),
            depth=event.depth,
        )
        write = Write(
            lambda position: [
                # Whoever invited may have named any version; who lets us in has shown the room.
                *([] if row is None else [lift_from_timeline(room_id, position), put_room_version(room_id, version)]),
                *arrival.statements(position, change, missing),
                *(s for pdu in arrival.pdus.values() if pdu.type == CREATE for s in type_statements(pdu)),
                drop_other_starts(room_id, start),
                *beside,
            ],
            chain=tip,
            tip=(tip.extremities, tip.depth),
            news=[arrival.news(change)],
        )
        try:
            await self._committer.commit(write)
        except GuardFailed:
            dropping = drop_start(room_id, start)
            await self._database.execute(dropping.sql, dropping.args)
            return False
        return True

    async def _lay_state(self, arrival: Arrival, room_id: str) -> int:
        """Write the state before the join as what held from the start; the `from_pos` that tells it from others."""
        start = FROM_THE_START + await LogStore(self._database).take_backward_positions(1)
        until = {(e.type, e.state_key): e.from_pos for e in await self._gaps.first_entries(room_id)}
        rows = [
            put_interval(room_id, *pdu.key, start, until.get(pdu.key, OPEN), pdu.event_id, membership_in(pdu))
            for pdu in arrival.pdus.values()
        ]
        await self._execute(rows)
        return start

    async def _come_back(self, open_room: Open, arrival: Arrival, beside: Sequence[Statement]) -> Write:
        """Write the join into a room that was here before, and what changed in the meantime."""
        room, tip = await open_room()
        change = arrival.change(room.state)
        missing = await self._missing(arrival.event)
        tip.extremities, tip.depth = (arrival.event.event_id,), arrival.event.depth
        return Write(
            lambda position: [*arrival.statements(position, change, missing), *beside],
            chain=tip,
            tip=(tip.extremities, tip.depth),
            news=[arrival.news(change)],
        )

    async def _missing(self, event: Pdu) -> list[str]:
        here = await self._graph.places(event.room_id, event.prev_events)
        return [event_id for event_id in dict.fromkeys(event.prev_events) if event_id not in here]

    async def _index(self, arrival: Arrival) -> None:
        pdus = (*arrival.pdus.values(), arrival.event)
        await self._execute([s for pdu in pdus for index in self._indexes for s in index.became_state(pdu)])

    async def _execute(self, statements: Sequence[Statement]) -> None:
        """Run statements that nobody waits for, in chunks."""
        for first in range(0, len(statements), AT_ONCE):
            async with self._database.transaction() as transaction:
                by_text: dict[object, list[Statement]] = {}
                for statement in statements[first : first + AT_ONCE]:
                    by_text.setdefault(statement.sql, []).append(statement)
                for alike in by_text.values():
                    await transaction.execute_many(alike[0].sql, [s.args for s in alike])
