"""What a room must be after anything was thrown at it, found out without what the server knows of it.

Believed are the events that are stored and the verdicts on them; what the state is, the test's own resolution says.
"""

from collections.abc import Mapping

import orjson

from matrix.state_resolution.naive import naive_resolve
from myelin.matrix.events.hashes import event_id_of
from myelin.matrix.events.parse import parse_pdu
from myelin.matrix.events.pdu import Pdu, StateMap
from myelin.matrix.events.signatures import verify_event
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.graph.graph_check import GraphCheck
from myelin.services.rooms.graph.room_graph import RoomGraph
from myelin.store.events import OUTLIER, REJECTED, SOFT_FAILED
from myelin.store.room_check import EventRow, RoomCheckStore
from myelin.store.rooms import RoomStore
from myelin.store.state import StateStore
from remote_room import KEY
from robustness.peer_fuzz.scene import Scene

BEGINNING = -(2**62)
MAX_ENDS = 10
NO_PLACE = OUTLIER
REFUSED = REJECTED | SOFT_FAILED


async def check_room(scene: Scene, known: int) -> None:
    """The room is legal, and holds no more than the `known` events that were sent and those that it began with."""
    world, version = scene.world, scene.version
    rooms, database = world.services[Rooms], world.database
    room = await rooms.get(scene.room_id)
    rows = await RoomCheckStore(database).events(scene.room_id, BEGINNING, 100_000)
    assert len(rows) <= known + 30, f"{len(rows)} events are kept, {known} were sent"
    events = {row.event_id: _parsed(row, scene) for row in rows}
    flags = {row.event_id: row.flags for row in rows}
    checked = await GraphCheck(rooms, world.services[RoomGraph], database).check(scene.room_id)
    assert checked.findings == []
    stored = await RoomStore(database).room(scene.room_id)
    assert stored is not None
    ends = orjson.loads(stored.extremities)
    assert 1 <= len(ends) <= MAX_ENDS
    now = {(r.type, r.state_key): r.event_id for r in await StateStore(database).at(scene.room_id, room.position)}
    assert now == room.state
    for key, event_id in now.items():
        pdu = events[event_id]
        assert pdu.key == key
        assert not flags[event_id] & REJECTED
        assert event_id_of(pdu.raw, version) == event_id
        if event_id not in scene.at_first and "third_party_invite" not in pdu.content:
            verify_event(pdu.raw, version, pdu.sender.partition(":")[2], KEY.verify_key)
    expected = _state_after(ends, events, flags, scene)
    if expected is not None:
        assert now == expected


def _parsed(row: EventRow, scene: Scene) -> Pdu:
    raw = orjson.loads(row.json)
    return parse_pdu(raw, scene.version, event_id=row.event_id, rejected=bool(row.flags & REJECTED))


def _state_after(ends: list[str], events: Mapping[str, Pdu], flags: Mapping[str, int], scene: Scene) -> StateMap | None:
    """The state where the ends meet; None where it hangs on something that was never here."""
    create = next(pdu for pdu in events.values() if pdu.type == "m.room.create" and not pdu.rejected)
    known = {"$create": create, **events}
    after: dict[str, StateMap | None] = {}

    def meet(ids: list[str]) -> StateMap | None:
        states = [after[event_id] for event_id in ids]
        if any(state is None for state in states):
            return None
        different = [s for n, s in enumerate(states) if s is not None and s not in states[:n]]
        return different[0] if len(different) == 1 else naive_resolve(different, known, scene.version)

    for event_id in _in_order(ends, events):
        pdu = events.get(event_id)
        if pdu is None or flags[event_id] & NO_PLACE or (not pdu.prev_events and pdu is not create):
            after[event_id] = None
            continue
        before = {} if pdu is create else meet(list(dict.fromkeys(pdu.prev_events)))
        counts = before is not None and pdu.state_key is not None and not flags[event_id] & REJECTED
        after[event_id] = {**before, pdu.key: event_id} if counts and before is not None else before
    return meet(ends)


def _in_order(ends: list[str], events: Mapping[str, Pdu]) -> list[str]:
    """The events below the ends, each after those that it hangs on; a circle fails the test."""
    order: dict[str, None] = {}
    open_: set[str] = set()
    stack = [(event_id, False) for event_id in ends]
    while stack:
        event_id, is_done = stack.pop()
        if is_done:
            order[event_id] = None
            open_.discard(event_id)
        elif event_id not in order:
            assert event_id not in open_, f"{event_id} hangs on itself"
            open_.add(event_id)
            stack.append((event_id, True))
            prevs = events[event_id].prev_events if event_id in events else ()
            stack += [(prev, False) for prev in prevs if prev not in order]
    return list(order)
