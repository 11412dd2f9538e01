"""State resolution of room version 1 (spec: rooms/v1, "State resolution").

Where the spec is silent this does what the servers do that these rooms live on: memberships are resolved independently
of each other, and where no event of another kind passes, the one of least depth stays.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha1
from typing import Final

from myelin.matrix.auth_rules import auth_event_keys_for, check_auth_rules
from myelin.matrix.errors import AuthRejected
from myelin.matrix.events.asking import Asking
from myelin.matrix.events.pdu import Pdu, StateKey, StateMap
from myelin.matrix.room_versions import RoomVersion

Conflicts = dict[StateKey, set[str]]

_AUTH_TYPES: Final = ("m.room.power_levels", "m.room.join_rules", "m.room.member")
"""In the order in which their conflicts are resolved."""


def resolve_v1(state_sets: Sequence[StateMap], version: RoomVersion) -> Asking[StateMap]:
    """Asks for events and returns the resolution of at least two different states."""
    resolved, conflicts = _split(state_sets)
    if not conflicts:
        return resolved
    events = dict((yield frozenset().union(*conflicts.values())))
    yield from _load_auth_events(resolved, events, version)
    candidates = {key: _by_depth(events[e] for e in ids if e in events) for key, ids in conflicts.items()}
    candidates = {key: ordered for key, ordered in candidates.items() if ordered}
    for auth_type in _AUTH_TYPES:
        chosen = {
            key: _last_in_unbroken_line(ordered, resolved, events, version)
            for key, ordered in candidates.items()
            if key[0] == auth_type
        }
        resolved.update(chosen)
    others = {
        key: _deepest_allowed(ordered, resolved, events, version)
        for key, ordered in candidates.items()
        if key[0] not in _AUTH_TYPES
    }
    return {**resolved, **others}


def _split(state_sets: Sequence[StateMap]) -> tuple[StateMap, Conflicts]:
    """The union of the states without the conflicts, which are keys with different events; a missing one is none."""
    union = dict(state_sets[0])
    conflicts: Conflicts = {}
    for state in state_sets[1:]:
        for key, event_id in state.items():
            first = union.setdefault(key, event_id)
            if first != event_id:
                conflicts.setdefault(key, {first}).add(event_id)
    for key in conflicts:
        del union[key]
    return union, conflicts


def _load_auth_events(resolved: StateMap, events: dict[str, Pdu], version: RoomVersion) -> Asking[None]:
    """Ask for the events without conflict that authorize the others."""
    keys = {key for event in events.values() for key in _auth_keys(event, version)}
    wanted = frozenset(resolved[key] for key in keys if key in resolved)
    if wanted:
        events.update((yield wanted))


def _auth_keys(event: Pdu, version: RoomVersion) -> list[StateKey]:
    return auth_event_keys_for(event.type, event.sender, event.state_key, event.content, version)


def _by_depth(events: Iterable[Pdu]) -> list[Pdu]:
    """Ascending depth, then descending SHA-1 of the event ID."""
    ordered = sorted(events, key=lambda event: _sha1(event.event_id), reverse=True)
    return sorted(ordered, key=lambda event: event.depth)


def _sha1(event_id: str) -> str:
    return sha1(event_id.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()


def _last_in_unbroken_line(ordered: list[Pdu], resolved: StateMap, events: dict[str, Pdu], version: RoomVersion) -> str:
    """Each event must be allowed by the one before; the first that is not ends the line."""
    state = {**_state_for(ordered, resolved, events, version), ordered[0].key: ordered[0]}
    last = ordered[0]
    for event in ordered[1:]:
        if not _is_allowed(event, state, version):
            break
        state[event.key] = last = event
    return last.event_id


def _deepest_allowed(ordered: list[Pdu], resolved: StateMap, events: dict[str, Pdu], version: RoomVersion) -> str:
    state = _state_for(ordered, resolved, events, version)
    for event in reversed(ordered):
        if _is_allowed(event, state, version):
            return event.event_id
    return ordered[0].event_id


def _state_for(
    candidates: list[Pdu], resolved: StateMap, events: dict[str, Pdu], version: RoomVersion
) -> dict[StateKey, Pdu]:
    """The part of the resolved state that the candidates are checked against."""
    keys = {key for event in candidates for key in _auth_keys(event, version)}
    return {key: events[resolved[key]] for key in keys if resolved.get(key) in events}


def _is_allowed(event: Pdu, state: dict[StateKey, Pdu], version: RoomVersion) -> bool:
    try:
        check_auth_rules(event, state, version)
    except AuthRejected:
        return False
    return True
