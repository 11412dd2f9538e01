"""The checks on receipt that hold an event against other events (spec: server-server API, "Checks performed")."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from myelin.matrix.auth_rules import auth_event_keys_for, check_auth_events, check_auth_rules
from myelin.matrix.errors import AuthRejected
from myelin.matrix.events.pdu import Pdu, StateKey, StateMap
from myelin.matrix.room_versions import RoomVersion
from myelin.services.rooms.graph.events_by_id import EventsById
from myelin.services.rooms.graph.room_graph import RoomGraph, is_current
from myelin.services.rooms.graph.state_point import StatePoint
from myelin.services.rooms.room import CREATE, MEMBER, Room

_Before = Callable[[Pdu], tuple[str, ...]]
"""The events that one comes after."""


class Judging:
    """Checks 4 to 6."""

    def __init__(self, graph: RoomGraph) -> None:
        self._graph = graph
        self._events: EventsById = graph.events

    async def unknown_auth_events(self, pdus: Iterable[Pdu], version: RoomVersion) -> list[str]:
        """The auth events of some events that are neither here nor among them."""
        given = {pdu.event_id: pdu for pdu in pdus}
        wanted = {auth_id for pdu in given.values() for auth_id in pdu.auth_events} - given.keys()
        return sorted(wanted - (await self._events.get(wanted, version)).keys())

    async def check_by_auth_events(self, room: Room, pdu: Pdu) -> None:
        """4. The event is allowed by the auth events that it names, all of which are here. Raises AuthRejected."""
        named = await self._events.get(pdu.auth_events, room.version)
        check_auth_rules(pdu, check_auth_events(pdu, named, room.version), room.version, create=create_of(room))

    async def check_by_state_before(self, room: Room, pdu: Pdu, before: StatePoint) -> None:
        """5. The event is allowed by the state before it. Raises AuthRejected."""
        entries = await self._graph.entries(room, before, _keys(pdu, room.version))
        if set(entries.values()) != set(pdu.auth_events):
            # Else it is what was checked already.
            await self._check(room, pdu, entries, is_whole=before.base >= room.whole_since)

    async def check_by_current_state(self, room: Room, pdu: Pdu, before: StatePoint) -> None:
        """6. The event is allowed by the room's state as it is now; else it is soft-failed. Raises AuthRejected."""
        if is_current(room, before.base) and not before.delta:
            return
        now = {key: room.state[key] for key in _keys(pdu, room.version) if key in room.state}
        if now != await self._graph.entries(room, before, now):
            await self._check(room, pdu, now)

    async def _check(self, room: Room, pdu: Pdu, entries: StateMap, *, is_whole: bool = True) -> None:
        found = await self._events.get(entries.values(), room.version)
        state = {key: found[event_id] for key, event_id in entries.items() if event_id in found}
        if room.partial_servers is not None or not is_whole:
            # Where the members were still to come those count that the event names.
            for named in (await self._events.get(pdu.auth_events, room.version)).values():
                if named.type == MEMBER and named.state_key is not None and not named.rejected:
                    state.setdefault(named.key, named)
        check_auth_rules(pdu, state, room.version, create=create_of(room))

    async def judged(self, room: Room, pdus: Sequence[Pdu]) -> list[Pdu]:
        """Events that come without a place in the graph, each after its auth events, marked where these refuse it.

        Those whose auth events are not here and not among them are left out: nothing can be said of them.
        """
        known: dict[str, Pdu] = {}
        judged: list[Pdu] = []
        for pdu in in_auth_order(pdus):
            lacking = [auth_id for auth_id in pdu.auth_events if auth_id not in known]
            known.update(await self._events.get(lacking, room.version))
            if any(auth_id not in known for auth_id in pdu.auth_events):
                continue
            verdict = pdu if _is_allowed(pdu, known, room) else msgspec.structs.replace(pdu, rejected=True)
            known[pdu.event_id] = verdict
            judged.append(verdict)
        return judged


def create_of(room: Room) -> Pdu | None:
    """The room's create event."""
    return room.current(*CREATE)


def in_auth_order(pdus: Iterable[Pdu]) -> list[Pdu]:
    """The events, each after those of its auth events that are among them."""
    return _in_order({pdu.event_id: pdu for pdu in pdus}, lambda pdu: pdu.auth_events)


def in_graph_order(pdus: Iterable[Pdu]) -> list[Pdu]:
    """The events, each after those of its `prev_events` that are among them; what goes in a circle is left out."""
    ordered = _in_order({pdu.event_id: pdu for pdu in pdus}, lambda pdu: pdu.prev_events)
    given = {pdu.event_id for pdu in ordered}
    done: set[str] = set()
    for pdu in ordered:
        if not any(prev in given and prev not in done for prev in pdu.prev_events):
            done.add(pdu.event_id)
    return [pdu for pdu in ordered if pdu.event_id in done]


def _in_order(events: Mapping[str, Pdu], before: _Before) -> list[Pdu]:
    """Without recursion, since lines of events are as long as their makers like."""
    done: set[str] = set()
    order: list[Pdu] = []
    for start in events:
        stack = [(start, False)]
        while stack:
            event_id, is_ready = stack.pop()
            if is_ready:
                order.append(events[event_id])
            elif event_id in events and event_id not in done:
                done.add(event_id)
                stack.append((event_id, True))
                stack += [(earlier, False) for earlier in reversed(before(events[event_id]))]
    return order


def _is_allowed(pdu: Pdu, known: Mapping[str, Pdu], room: Room) -> bool:
    try:
        check_auth_rules(pdu, check_auth_events(pdu, known, room.version), room.version, create=create_of(room))
    except AuthRejected:
        return False
    return True


def _keys(pdu: Pdu, version: RoomVersion) -> list[StateKey]:
    return auth_event_keys_for(pdu.type, pdu.sender, pdu.state_key, pdu.content, version)
