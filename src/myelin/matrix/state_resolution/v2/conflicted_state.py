"""Unconflicted state map and conflicted state set (spec: rooms/v2, "State resolution", Definitions)."""

from collections.abc import Sequence
from typing import NamedTuple

from myelin.matrix.events.pdu import StateKey, StateMap


class SplitState(NamedTuple):
    """State sets, taken apart into what they agree on and what they do not."""

    unconflicted: StateMap
    conflicted: list[set[str]]
    """For each state set the IDs of its events that are not unconflicted."""


def split_state(state_sets: Sequence[StateMap]) -> SplitState:
    """Compare two or more states. A key that is missing from one of them is in conflict."""
    first = state_sets[0]
    keys: set[StateKey] = set()
    for other in state_sets[1:]:
        _add_differing_keys(first, other, keys)
    unconflicted = dict(first)
    for key in keys:
        unconflicted.pop(key, None)
    return SplitState(unconflicted, [{state[key] for key in keys if key in state} for state in state_sets])


def _add_differing_keys(first: StateMap, other: StateMap, keys: set[StateKey]) -> None:
    shared = len(first)
    get = other.get
    for key, event_id in first.items():
        found = get(key)
        if found != event_id:
            keys.add(key)
            if found is None:
                shared -= 1
    if len(other) > shared:
        keys.update(other.keys() - first.keys())
