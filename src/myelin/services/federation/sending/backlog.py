"""What a server lacks, read back from the database: after an outage, or after this process was started."""

from collections.abc import Iterable, Sequence

import orjson

from myelin.db.connection import Database
from myelin.db.sql import Statement
from myelin.services.federation.sending.outgoing_event import OutgoingEvent, federation_json
from myelin.services.federation.sending.room_servers import RoomServers, was_there
from myelin.services.federation.sending.transaction import MAX_EDUS, MAX_TRANSACTION_BYTES, Transaction
from myelin.store.destinations import (
    DestinationStore,
    MissedRoom,
    QueuedEdu,
    SentEvent,
    end_missed_room,
    move_missed_room,
)
from myelin.store.events import EventStore

MAX_MISSED_EVENTS = 50
"""Of a room with more than these the server gets the newest event, and asks for the others as it wants them."""
MAX_ROOMS_AT_ONCE = 50


class Backlog:
    """Reads transactions."""

    def __init__(self, server_name: str, database: Database, servers: RoomServers) -> None:
        self._server_name = server_name
        self._store = DestinationStore(database)
        self._events = EventStore(database)
        self._servers = servers

    async def under_way(self, server_name: str) -> Transaction | None:
        """The transaction that was begun and not ended, the same as it was but for what went since."""
        row = await self._store.under_way(server_name)
        if row is None:
            return None
        contents = orjson.loads(row.contents)
        places = {(position, number) for position, number in contents["edus"]}
        edus = await self._store.edus_at(server_name, sorted({position for position, _ in places})) if places else []
        return Transaction(
            row.transaction_id,
            await self.load([(event_id, 0, "") for event_id in contents["pdus"]]),
            [edu for edu in edus if edu[:2] in places],
            until=contents["until"],
        )

    async def load(self, events: Iterable[tuple[str, int, str]]) -> list[OutgoingEvent]:
        """Events with their JSON, from `(event_id, position, room_id)`, in that order; those that are gone left out."""
        wanted = list(events)
        stored = {row.event_id: row for row in await self._events.events([e for e, _, _ in wanted])} if wanted else {}
        return [
            OutgoingEvent(
                position or stored[event_id].position,
                stored[event_id].room_id,
                event_id,
                json=federation_json(orjson.loads(stored[event_id].json)),
            )
            for event_id, position, _ in wanted
            if event_id in stored
        ]

    async def edus(self, server_name: str, limit: int = MAX_EDUS) -> list[QueuedEdu]:
        """The oldest EDUs that wait for a server."""
        found = await self._store.edus(server_name, limit)
        size = 0
        for index, edu in enumerate(found):
            size += len(edu.json)
            if size > MAX_TRANSACTION_BYTES and index:
                return found[:index]
        return found

    async def rooms(self, server_name: str) -> list[MissedRoom]:
        """Rooms of which a server lacks something."""
        return await self._store.missed_rooms(server_name, MAX_ROOMS_AT_ONCE)

    async def missed(
        self, server_name: str, rooms: Sequence[MissedRoom], until: int, limit: int
    ) -> tuple[list[OutgoingEvent], list[Statement]]:
        """At most `limit` events that a server lacks, and what is written when it has them."""
        taken: list[SentEvent] = []
        ends: list[Statement] = []
        got = await self._store.position(server_name) or 0
        for room in rooms:
            events = await self._missed_in(server_name, room._replace(since=max(room.since, got + 1)), until)
            space = limit - len(taken)
            if events and not space:
                break
            taken += events[:space]
            if len(events) <= space:
                ends.append(end_missed_room(server_name, room.room_id, until))
                ends.append(move_missed_room(server_name, room.room_id, until + 1))
            else:
                ends.append(move_missed_room(server_name, room.room_id, events[space - 1].position + 1))
                break
        taken.sort(key=lambda event: event.position)
        return await self.load([(e.event_id, e.position, e.room_id) for e in taken]), ends

    async def _missed_in(self, server_name: str, room: MissedRoom, until: int) -> list[SentEvent]:
        """The events of one room, oldest first."""
        joins = await self._servers.during(room.room_id, server_name, room.since, until)
        if not joins:
            return []
        newest = await self._store.last_of_server(
            room.room_id, self._server_name, server_name, room.since, until, MAX_MISSED_EVENTS + 1
        )
        found = [event for event in newest if was_there(joins, event.position)]
        return found[:1] if len(found) > MAX_MISSED_EVENTS else found[::-1]
