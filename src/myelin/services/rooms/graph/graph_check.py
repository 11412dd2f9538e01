"""Is what is stored of a room what its graph says? For rooms that came from other servers, or have forks.

Believed are the events that are here and the verdicts on them; recomputed are the ends, the state before each of the
newest events from what it hangs on, and the room's state from that of its ends.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import orjson

from myelin.db.connection import Database
from myelin.matrix.auth_rules import auth_event_keys_for, check_auth_rules
from myelin.matrix.errors import AuthRejected, CoreError, NotFound
from myelin.matrix.events.parse import parse_pdu
from myelin.matrix.events.pdu import Pdu, StateKey, StateMap
from myelin.matrix.room_versions import RoomVersion
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.graph.room_graph import RoomGraph
from myelin.services.rooms.graph.state_point import difference
from myelin.services.rooms.replay import Finding
from myelin.services.rooms.room import CREATE, Room
from myelin.store.events import OUTLIER, REJECTED, SOFT_FAILED
from myelin.store.room_check import EventRow, RoomCheckStore
from myelin.store.rooms import RoomStore

PAGE = 1_000
MAX_CHECKED = 500
"""Events whose state before them is computed again, the newest ones."""
_BEGINNING = -(2**62)


class Placed(NamedTuple):
    """An event of the graph."""

    position: int
    flags: int
    pdu: Pdu


class Checked(NamedTuple):
    """What is wrong with a room, and what would be right."""

    findings: list[Finding]
    ends: list[str]
    state: StateMap
    depth: int


class GraphCheck:
    """Checks rooms."""

    def __init__(self, rooms: Rooms, graph: RoomGraph, database: Database) -> None:
        self._rooms = rooms
        self._graph = graph
        self._stored = RoomStore(database)
        self._store = RoomCheckStore(database)

    async def check(self, room_id: str) -> Checked:
        """Compute the room again. Raises NotFound, or TooMuchWork."""
        room = await self._rooms.get(room_id)
        row = await self._stored.room(room_id)
        if row is None:
            raise NotFound("There is no such room here")
        findings: list[Finding] = []
        events = await self._events(room_id, room.version, findings)
        ends = _ends(events)
        stored = orjson.loads(row.extremities)
        if set(stored) != set(ends):
            findings.append(Finding("extremities", room_id, f"{stored} are stored, {ends} it has"))
        whole = {e: p for e, p in events.items() if p.position >= room.whole_since}
        newest = [p.pdu for p in whole.values() if not p.flags & REJECTED][-MAX_CHECKED:]
        for pdu in newest:
            findings += await self._check_event(room, pdu, whole)
        # What was there before all members were known says nothing of them.
        state = await self._graph.state_after(room, ends) if whole.keys() >= set(ends) else room.state
        findings += [_of_entry(key, room.state, event_id, events) for key, event_id in _changes(room, state)]
        depth = max((events[event_id].pdu.depth for event_id in ends), default=0)
        return Checked(findings, ends, state, depth)

    async def _events(self, room_id: str, version: RoomVersion, findings: list[Finding]) -> dict[str, Placed]:
        """The events that have a place, in the order of the log."""
        found: dict[str, Placed] = {}
        after = _BEGINNING
        while page := await self._store.events(room_id, after, PAGE):
            after = page[-1].position
            for row in page:
                if not row.flags & OUTLIER and (pdu := _parsed(row, version, findings)) is not None:
                    found[row.event_id] = Placed(row.position, row.flags, pdu)
        return found

    async def _check_event(self, room: Room, pdu: Pdu, events: Mapping[str, Placed]) -> list[Finding]:
        """The state before an event is that after those it hangs on, and allows it."""
        if not pdu.prev_events or any(prev not in events for prev in pdu.prev_events):
            return []
        before = await self._graph.state_before(room, pdu.event_id)
        expected = await self._graph.state_after(room, pdu.prev_events)
        findings = []
        if changed := difference(before, expected):
            keys = ", ".join(map(str, list(changed)[:5]))
            findings.append(
                Finding("state before", pdu.event_id, f"it is not what the events before it make it: {keys}")
            )
        keys_needed = auth_event_keys_for(pdu.type, pdu.sender, pdu.state_key, pdu.content, room.version)
        held = await self._graph.events.get([before[key] for key in keys_needed if key in before], room.version)
        try:
            check_auth_rules(pdu, {e.key: e for e in held.values()}, room.version, create=room.current(*CREATE))
        except AuthRejected as error:
            findings.append(Finding("auth", pdu.event_id, f"the state before it does not allow it: {error}"))
        return findings


def _parsed(row: EventRow, version: RoomVersion, findings: list[Finding]) -> Pdu | None:
    try:
        return parse_pdu(orjson.loads(row.json), version, event_id=row.event_id, rejected=bool(row.flags & REJECTED))
    except (CoreError, orjson.JSONDecodeError) as error:
        findings.append(Finding("event", row.event_id, str(error)))
        return None


def _ends(events: Mapping[str, Placed]) -> list[str]:
    """The accepted events that no accepted one builds on, be it through others."""
    built_on: set[str] = set()
    for _, flags, pdu in events.values():
        if flags & (REJECTED | SOFT_FAILED):
            continue
        todo = list(pdu.prev_events)
        while todo:
            event_id = todo.pop()
            if event_id not in built_on:
                built_on.add(event_id)
                placed = events.get(event_id)
                if placed is not None and placed.flags & (REJECTED | SOFT_FAILED):
                    todo += placed.pdu.prev_events
    return [e for e, p in events.items() if e not in built_on and not p.flags & (REJECTED | SOFT_FAILED)]


def _changes(room: Room, state: StateMap) -> Iterable[tuple[StateKey, str | None]]:
    return difference(room.state, state).items()


def _of_entry(key: StateKey, stored: StateMap, expected: str | None, events: Mapping[str, Placed]) -> Finding:
    """Why an entry of the state is not what is stored, in words."""
    return Finding(
        "state", str(key), f"stored is {_told(stored.get(key), events)}, the ends make it {_told(expected, events)}"
    )


def _told(event_id: str | None, events: Mapping[str, Placed]) -> str:
    if event_id is None:
        return "nothing"
    placed = events.get(event_id)
    if placed is None:
        return f"{event_id} (known by the state alone)"
    verdict = " rejected" if placed.flags & REJECTED else " soft-failed" if placed.flags & SOFT_FAILED else ""
    return f"{event_id} ({placed.pdu.sender}, depth {placed.pdu.depth}{verdict})"
