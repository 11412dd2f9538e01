"""State resolution as the spec's text reads, slowly: an oracle that shares only the authorization rules with the rest.

All events are at hand and all definitions are taken literally; where the text leaves something open, see `v1.py` and
`v2/power_ordering.py`.
"""

from collections.abc import Mapping, Sequence
from functools import cmp_to_key
from hashlib import sha1

from myelin.matrix.auth_rules import auth_event_keys_for, check_auth_rules
from myelin.matrix.errors import AuthRejected
from myelin.matrix.events.pdu import Pdu, StateKey, StateMap
from myelin.matrix.power_levels import PowerLevels
from myelin.matrix.room_versions import RoomVersion, StateResolution

Events = Mapping[str, Pdu]
LEVELS = ("m.room.power_levels", "")
CREATE = ("m.room.create", "")


def naive_resolve(states: Sequence[StateMap], events: Events, version: RoomVersion) -> StateMap:
    if version.state_resolution is StateResolution.V1:
        return _resolve_v1(states, events, version)
    return _resolve_v2(states, events, version)


def is_allowed(event: Pdu, state: Mapping[StateKey, Pdu], events: Events, version: RoomVersion) -> bool:
    create = events["$create"]
    try:
        check_auth_rules(event, state, version, create=create if version.room_id_is_create_hash else None)
    except AuthRejected:
        return False
    return True


# Version 1


def _resolve_v1(states: Sequence[StateMap], events: Events, version: RoomVersion) -> StateMap:
    keys = {key for state in states for key in state}
    choices = {key: sorted({state[key] for state in states if key in state}) for key in keys}
    resolved = {key: ids[0] for key, ids in choices.items() if len(ids) == 1}
    conflicts = {key: [events[e] for e in ids] for key, ids in choices.items() if len(ids) > 1}
    for kind in ("m.room.power_levels", "m.room.join_rules", "m.room.member"):
        passed = {}
        for key in [key for key in conflicts if key[0] == kind]:
            passed[key] = _v1_line(conflicts.pop(key), {k: events[e] for k, e in resolved.items()}, events, version)
        resolved |= passed
    state = {key: events[event_id] for key, event_id in resolved.items()}
    for key, candidates in conflicts.items():
        best_first = sorted(candidates, key=lambda event: (-event.depth, _sha1(event)))
        allowed = [event for event in best_first if is_allowed(event, state, events, version)]
        resolved[key] = allowed[0].event_id if allowed else best_first[-1].event_id
    return resolved


def _v1_line(candidates: list[Pdu], state: dict[StateKey, Pdu], events: Events, version: RoomVersion) -> str:
    first, *rest = sorted(candidates, key=lambda event: (-event.depth, _sha1(event)))[::-1]
    state[first.key] = first
    for event in rest:
        if not is_allowed(event, state, events, version):
            break
        state[event.key] = event
    return state[first.key].event_id


def _sha1(event: Pdu) -> bytes:
    return sha1(event.event_id.encode()).digest()


# Versions 2 and 2.1


def _resolve_v2(states: Sequence[StateMap], events: Events, version: RoomVersion) -> StateMap:
    v2_1 = version.state_resolution is StateResolution.V2_1
    keys = {key for state in states for key in state}
    unconflicted = {k: states[0][k] for k in keys if all(s.get(k) == states[0].get(k) for s in states)}
    conflicted = {state[key] for state in states for key in state if key not in unconflicted}
    full_chains = [set().union(*(auth_chain(e, events) for e in state.values())) for state in states]
    full = conflicted | (set().union(*full_chains) - full_chains[0].intersection(*full_chains))
    if v2_1:
        full |= _subgraph(conflicted, events)
    power_events = {e for e in full if _is_power_event(events[e])}
    chosen = power_events | {e for p in power_events for e in auth_chain(p, events) if e in full}
    start: StateMap = {} if v2_1 else unconflicted
    partial = _iterate(_power_order(chosen, events, version), start, events, version)
    rest = _mainline_order(full - chosen, partial.get(LEVELS), events)
    return {**_iterate(rest, partial, events, version), **unconflicted}


def auth_chain(event_id: str, events: Events) -> set[str]:
    chain: set[str] = set()
    for auth_id in events[event_id].auth_events:
        if auth_id not in chain:
            chain |= {auth_id} | auth_chain(auth_id, events)
    return chain


def _subgraph(conflicted: set[str], events: Events) -> set[str]:
    chains = {event_id: auth_chain(event_id, events) | {event_id} for event_id in events}
    return {
        between for top in conflicted for bottom in conflicted for between in chains[top] if bottom in chains[between]
    }


def _is_power_event(event: Pdu) -> bool:
    if event.type in ("m.room.power_levels", "m.room.join_rules"):
        return True
    removes = event.type == "m.room.member" and event.content["membership"] in ("leave", "ban")
    return removes and event.sender != event.state_key


def _auth_event(event: Pdu, key: StateKey, events: Events) -> Pdu | None:
    found = [events[auth_id] for auth_id in event.auth_events if events[auth_id].key == key]
    return found[0] if found else None


def _power_order(chosen: set[str], events: Events, version: RoomVersion) -> list[str]:
    def power(event_id: str) -> float:
        event = events[event_id]
        levels = PowerLevels(_auth_event(event, LEVELS, events), events["$create"], version)
        return levels.power_level_of(event.sender)

    def compare(x: str, y: str) -> int:
        if power(x) != power(y):
            return -1 if power(x) > power(y) else 1
        if events[x].origin_server_ts != events[y].origin_server_ts:
            return -1 if events[x].origin_server_ts < events[y].origin_server_ts else 1
        return -1 if x < y else 1

    ordered: list[str] = []
    left = set(chosen)
    while left:
        candidates = [e for e in left if not left.intersection(events[e].auth_events)]
        ordered.append(min(candidates, key=cmp_to_key(compare)))
        left.remove(ordered[-1])
    return ordered


def _mainline_order(rest: set[str], levels: str | None, events: Events) -> list[str]:
    def line(event: Pdu | None) -> list[str]:
        ids = []
        while event is not None and (event := _auth_event(event, LEVELS, events)) is not None:
            ids.append(event.event_id)
        return ids

    mainline = [levels, *line(events[levels])] if levels else []

    def key(event_id: str) -> tuple[float, int, str]:
        found = [mainline.index(e) for e in line(events[event_id]) if e in mainline]
        position = found[0] if found else float("inf")
        return (-position, events[event_id].origin_server_ts, event_id)

    return sorted(rest, key=key)


def _iterate(ordered: list[str], start: StateMap, events: Events, version: RoomVersion) -> StateMap:
    state = dict(start)
    for event in (events[event_id] for event_id in ordered):
        auth_state: dict[StateKey, Pdu] = {}
        for key in auth_event_keys_for(event.type, event.sender, event.state_key, event.content, version):
            own = _auth_event(event, key, events)
            if key in state:
                auth_state[key] = events[state[key]]
            elif own is not None and not own.rejected:
                auth_state[key] = own
        if is_allowed(event, auth_state, events, version):
            state[event.key] = event.event_id
    return state
