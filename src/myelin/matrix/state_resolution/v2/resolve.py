"""The algorithm of state resolution 2 and 2.1 (spec: rooms/v2 and rooms/v12, "State resolution", Algorithm)."""

from collections.abc import Sequence

from myelin.matrix.auth_rules.selection import POWER_LEVELS
from myelin.matrix.events.asking import Asking
from myelin.matrix.events.pdu import Pdu, StateMap
from myelin.matrix.room_versions import RoomVersion, StateResolution
from myelin.matrix.state_resolution.v2.auth_chains import (
    auth_chain,
    auth_difference,
    conflicted_subgraph,
    load_auth_chains,
)
from myelin.matrix.state_resolution.v2.conflicted_state import SplitState, split_state
from myelin.matrix.state_resolution.v2.iterative_auth_checks import Replay
from myelin.matrix.state_resolution.v2.mainline_ordering import load_mainline, mainline_ordering
from myelin.matrix.state_resolution.v2.power_ordering import is_power_event, power_ordering


def resolve_v2(state_sets: Sequence[StateMap], version: RoomVersion) -> Asking[StateMap]:
    """Asks for events and returns the resolution of at least two different states."""
    from_empty = version.state_resolution is StateResolution.V2_1
    split = split_state(state_sets)
    events: dict[str, Pdu] = {}
    conflicted = yield from _load_full_conflicted_set(split, events, with_subgraph=from_empty)
    create = yield from _load_create_event(conflicted, events, version)
    replay = Replay({} if from_empty else split.unconflicted, events, create, version)
    yield from replay.load_base(conflicted)
    # 1. The power events, and what of the full conflicted set is in their auth chains.
    power_events = {event_id for event_id in conflicted if is_power_event(events[event_id])}
    first = power_events | (auth_chain(power_events, events) & conflicted)
    # 2. Replay them upon the unconflicted state (2.1: upon nothing).
    replay.apply(power_ordering(first, events, create, version))
    # 3. Sort the others by the power levels that this gave.
    mainline = yield from load_mainline(replay.state_event(POWER_LEVELS), events)
    # 4. Replay them too.
    replay.apply(mainline_ordering((events[e] for e in conflicted - first), mainline, events))
    # 5. What was never in conflict stays.
    return {**replay.resolved, **split.unconflicted}


def _load_full_conflicted_set(split: SplitState, events: dict[str, Pdu], *, with_subgraph: bool) -> Asking[set[str]]:
    conflicted = set().union(*split.conflicted)
    yield from load_auth_chains(conflicted, events)
    full = conflicted.intersection(events)
    if with_subgraph:
        full |= conflicted_subgraph(conflicted, events)
    full |= yield from auth_difference(split.conflicted, split.unconflicted, events)
    return {event_id for event_id in full if events[event_id].is_state}


def _load_create_event(event_ids: set[str], events: dict[str, Pdu], version: RoomVersion) -> Asking[Pdu | None]:
    """The create event where the room ID names it; before version 12 it is among the auth events."""
    if not version.room_id_is_create_hash or not event_ids:
        return None
    create_id = "$" + events[min(event_ids)].room_id[1:]
    found = yield frozenset((create_id,))
    return found.get(create_id)
