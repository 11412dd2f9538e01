"""The algorithm of state resolution 2 and 2.1 (spec: rooms/v2 and rooms/v12, "State resolution", Algorithm)."""

from collections.abc import Sequence

from myelin.matrix.auth_rules.selection import POWER_LEVELS
from myelin.matrix.events.asking import Asking
from myelin.matrix.events.pdu import Pdu, StateMap
from myelin.matrix.room_versions import RoomVersion, StateResolution
from myelin.matrix.state_resolution.v2.auth_chains import auth_chain, conflicted_subgraph, load_auth_chains
from myelin.matrix.state_resolution.v2.auth_difference import AuthDifference
from myelin.matrix.state_resolution.v2.conflicted_state import split_state
from myelin.matrix.state_resolution.v2.iterative_auth_checks import Replay
from myelin.matrix.state_resolution.v2.mainline_ordering import load_mainline, mainline_ordering
from myelin.matrix.state_resolution.v2.power_ordering import is_power_event, power_ordering


def resolve_v2(state_sets: Sequence[StateMap], version: RoomVersion) -> Asking[StateMap]:
    """Asks for events and returns the resolution of at least two different states."""
    is_v2_1 = version.state_resolution is StateResolution.V2_1
    split = split_state(state_sets)
    conflicted = set().union(*split.conflicted)
    events: dict[str, Pdu] = {}
    yield from load_auth_chains(conflicted, events)
    certain = conflicted_subgraph(conflicted, events) if is_v2_1 else conflicted.intersection(events)
    difference = AuthDifference(split, events.copy())
    create = yield from _load_create_event(certain, events, version)
    algorithm = Algorithm(split.unconflicted, {} if is_v2_1 else split.unconflicted, events, create, version)
    resolved = yield from _resolve(certain, difference, algorithm)
    return {**split.unconflicted, **resolved}


def _resolve(certain: set[str], difference: AuthDifference, algorithm: "Algorithm") -> Asking[StateMap]:
    """Run the algorithm on the full conflicted set, which is found out only as far as the result depends on it."""
    yield from difference.narrow_by_a_few()
    results: list[StateMap] = []
    for possible in difference.possibilities():
        result = yield from algorithm.run(certain | possible)
        if result not in results:
            results.append(result)
    if len(results) == 1:
        return results[0]
    yield from difference.narrow_by_all()
    return (yield from algorithm.run(certain | difference.rest))


class Algorithm:
    """The steps of the spec, for one full conflicted set or another."""

    def __init__(
        self,
        unconflicted: StateMap,
        base: StateMap,
        events: dict[str, Pdu],
        create: Pdu | None,
        version: RoomVersion,
    ) -> None:
        self._unconflicted = unconflicted
        self._base = base
        self._events = events
        self._create = create
        self._version = version

    def run(self, full_conflicted_set: set[str]) -> Asking[StateMap]:
        """The resolved state without the unconflicted."""
        events = self._events
        conflicted = {event_id for event_id in full_conflicted_set if events[event_id].is_state}
        replay = Replay(self._base, events, self._create, self._version)
        yield from replay.load_base(conflicted)
        # 1. The power events, and what of the full conflicted set is in their auth chains.
        power_events = {event_id for event_id in conflicted if is_power_event(events[event_id])}
        first = power_events | (auth_chain(power_events, events) & conflicted)
        # 2. Replay them upon the unconflicted state (2.1: upon nothing).
        replay.apply(power_ordering(first, events, self._create, self._version))
        # 3. Sort the others by the power levels that this gave.
        mainline = yield from load_mainline(replay.state_event(POWER_LEVELS), events)
        # 4. Replay them too.
        replay.apply(mainline_ordering((events[e] for e in conflicted - first), mainline, events))
        # 5. What was never in conflict stays as it is.
        return {key: event_id for key, event_id in replay.resolved.items() if key not in self._unconflicted}


def _load_create_event(event_ids: set[str], events: dict[str, Pdu], version: RoomVersion) -> Asking[Pdu | None]:
    """The create event where the room ID names it; before version 12 it is among the auth events."""
    if not version.room_id_is_create_hash or not event_ids:
        return None
    create_id = "$" + events[min(event_ids)].room_id[1:]
    found = yield frozenset((create_id,))
    return found.get(create_id)
