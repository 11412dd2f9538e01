"""What the forward extremities of a room are once an event has come that does not hang on all of them."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from myelin.db.connection import Database
from myelin.matrix.events.pdu import Pdu
from myelin.matrix.room_versions import RoomVersion
from myelin.services.rooms.graph.room_graph import RoomGraph
from myelin.services.rooms.rows import to_pdu
from myelin.store.events import REJECTED, SOFT_FAILED, EventPlace, EventStore
from myelin.store.graph import GraphStore

MAX_UNSEEN = 100
"""Rejected and soft-failed events that are followed back to find what an event builds on."""


class NewEnds(NamedTuple):
    """The ends of a room after an event."""

    others: list[str]
    """Those that the event does not build on, oldest first."""
    is_end: bool
    """Whether the event itself is one: nothing that is here hangs on it."""
    missing: list[str]
    """What the event hangs on and is not here."""


class Ends:
    """Finds ends."""

    def __init__(self, database: Database, graph: RoomGraph) -> None:
        self._events = EventStore(database)
        self._gaps = GraphStore(database)
        self._graph = graph

    async def after(self, version: RoomVersion, extremities: Sequence[str], pdu: Pdu) -> NewEnds:
        """The ends once `pdu` is accepted."""
        places = await self._graph.places(pdu.room_id, pdu.prev_events)
        built_on = {*pdu.prev_events, *await self._below_unseen(version, pdu.room_id, places.values())}
        is_referred_to = bool(await self._gaps.missing_among(pdu.room_id, [pdu.event_id]))
        others = [event_id for event_id in extremities if event_id not in built_on]
        missing = [event_id for event_id in dict.fromkeys(pdu.prev_events) if event_id not in places]
        return NewEnds(others, not is_referred_to, missing)

    async def _below_unseen(self, version: RoomVersion, room_id: str, places: Iterable[EventPlace]) -> set[str]:
        """What is hung on through events that are no ends themselves, since nobody is shown them."""
        found: set[str] = set()
        unseen = _unseen(places)
        looked_at = 0
        while unseen and looked_at < MAX_UNSEEN:
            looked_at += len(unseen)
            rows = await self._events.events(unseen)
            below = {prev for row in rows for prev in to_pdu(row, version).prev_events} - found
            found |= below
            unseen = _unseen((await self._graph.places(room_id, list(below))).values())
        return found


def _unseen(places: Iterable[EventPlace]) -> list[str]:
    return [place.event_id for place in places if place.flags & (REJECTED | SOFT_FAILED)]
