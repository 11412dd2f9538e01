"""The state before or after an event, said by a position of the log and what differs from the room's state there."""

from collections.abc import Mapping

import orjson

from myelin.matrix.events.pdu import StateKey, StateMap

Delta = Mapping[StateKey, str | None]
"""Event IDs by key; None for a key that has no entry."""


class StatePoint:
    """The room's state at a position, but for a delta. Not changed once made."""

    __slots__ = ("base", "delta", "whole")

    def __init__(self, base: int, delta: Delta | None = None, whole: StateMap | None = None) -> None:
        self.base = base
        self.delta: Delta = delta or {}
        self.whole = whole
        """All of it, if it is at hand; read-only."""

    def followed_by(self, key: StateKey, event_id: str) -> "StatePoint":
        """The state after a state event."""
        whole = None if self.whole is None else {**self.whole, key: event_id}
        return StatePoint(self.base, {**self.delta, key: event_id}, whole)


def difference(old: StateMap, new: StateMap) -> dict[StateKey, str | None]:
    """What must be changed in one state to get another."""
    if old is new:
        return {}
    get = old.get
    changed: dict[StateKey, str | None] = {key: event_id for key, event_id in new.items() if get(key) != event_id}
    if len(old) > len(new) - len(changed):
        changed.update((key, None) for key in old.keys() - new.keys())
    return changed


def changed(state: StateMap, delta: Delta) -> StateMap:
    """A state with a delta applied; the very map where there is none."""
    if not delta:
        return state
    found = dict(state)
    for key, event_id in delta.items():
        if event_id is None:
            found.pop(key, None)
        else:
            found[key] = event_id
    return found


def encode_delta(delta: Delta) -> str | None:
    """A delta as it is stored."""
    return orjson.dumps([[*key, event_id] for key, event_id in delta.items()]).decode() if delta else None


def decode_delta(text: str | None) -> Delta:
    """A delta as it was stored."""
    return {} if text is None else {(kind, key): event_id for kind, key, event_id in orjson.loads(text)}
