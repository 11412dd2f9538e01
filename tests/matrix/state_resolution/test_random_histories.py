"""Properties of state resolution on random event graphs, and its agreement with the oracle."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from matrix.state_resolution.naive import auth_chain, naive_resolve
from matrix.state_resolution.room_history import USERS, Action, History, actions
from myelin.matrix.events.asking import Asking, answer
from myelin.matrix.events.pdu import Pdu, StateMap
from myelin.matrix.room_versions import ROOM_VERSIONS, V1, V2, V6, V11, V12, RoomVersion
from myelin.matrix.state_resolution import resolve
from myelin.matrix.state_resolution.v2 import auth_difference

VERSIONS = st.sampled_from([V1, V2, V6, V11, V12])
relaxed = settings(deadline=None, max_examples=150)


def resolution(states: Sequence[StateMap], history: History) -> StateMap:
    return answer(resolve(states, history.version), history.events)


@relaxed
@given(VERSIONS, actions(max_size=40), st.booleans())
def test_agrees_with_the_oracle(version: RoomVersion, script: list[Action], with_levels: bool) -> None:
    history = History(version, with_levels=with_levels).play(script)
    event(f"version {version.identifier}, {len(history.branches)} branches")
    assert resolution(history.branches, history) == naive_resolve(history.branches, history.events, version)


@relaxed
@given(
    st.sampled_from([V2, V12]), actions(max_size=40), st.sampled_from([(), (1,), (1, 2)]), st.sampled_from([1, 2, 16])
)
def test_agrees_with_the_oracle_however_it_searches(
    version: RoomVersion, script: list[Action], batches: tuple[int, ...], possibilities: int
) -> None:
    """In large rooms the auth difference is found out step by step, and as far as it matters only."""
    history = History(version).play(script)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(auth_difference, "BATCHES", batches)
        patch.setattr(auth_difference, "LAST_BATCH", 2)
        patch.setattr(auth_difference, "MAX_POSSIBILITIES", possibilities)
        assert resolution(history.branches, history) == naive_resolve(history.branches, history.events, version)


@relaxed
@given(VERSIONS, actions(), st.randoms())
def test_the_order_of_the_states_and_of_the_answers_does_not_matter(
    version: RoomVersion, script: list[Action], random: Any
) -> None:
    history = History(version).play(script)
    expected = resolution(history.branches, history)
    states = [dict(random.sample(list(state.items()), len(state))) for state in history.branches]
    random.shuffle(states)
    assert _answer_shuffled(resolve([*states, *states[:1]], version), history.events, random) == expected


def _answer_shuffled(asking: Asking[StateMap], events: Mapping[str, Pdu], random: Any) -> StateMap:
    try:
        wanted = next(asking)
        while True:
            ids = sorted(wanted)
            random.shuffle(ids)
            wanted = asking.send({event_id: events[event_id] for event_id in ids})
    except StopIteration as done:
        return done.value


@relaxed
@given(VERSIONS, actions())
def test_a_resolution_resolves_to_itself(version: RoomVersion, script: list[Action]) -> None:
    history = History(version).play(script)
    resolved = resolution(history.branches, history)
    assert resolution([resolved, dict(resolved)], history) == resolved


@relaxed
@given(VERSIONS, actions())
def test_the_resolved_events_are_of_the_states_or_their_auth_chains(version: RoomVersion, script: list[Action]) -> None:
    history = History(version).play(script)
    resolved = resolution(history.branches, history)
    known = {event_id for state in history.branches for event_id in state.values()}
    known |= set().union(*(auth_chain(event_id, history.events) for event_id in known))
    assert known >= set(resolved.values())
    for key, event_id in resolved.items():
        assert history.events[event_id].key == key
    first = history.branches[0]
    for key, event_id in first.items():
        if all(state.get(key) == event_id for state in history.branches):
            assert resolved[key] == event_id


@pytest.mark.parametrize("version", [v for v in ROOM_VERSIONS.values() if v.room_id_is_create_hash])
@relaxed
@given(st.data(), actions(["join", "levels", "join_rules", "topic"], max_size=30), st.booleans())
def test_outdated_states_take_no_membership_away(
    version: RoomVersion, data: st.DataObject, script: list[Action], creator_leaves: bool
) -> None:
    """The resets that state resolution 2.1 ends: one history without a fork, of which servers have outdated states."""
    leaving = [Action("leave")] if creator_leaves else []
    script = [Action(a.kind, 0, a.user, a.target, a.choice, ts) for ts, a in enumerate([*script, *leaving])]
    history = History(version).play(script)
    versions_of_key: dict[tuple[str, str], list[str]] = {}
    for pdu in history.events.values():
        versions_of_key.setdefault(pdu.key, []).append(pdu.event_id)
    members = [("m.room.member", user) for user in USERS[1:] if ("m.room.member", user) in history.branches[0]]
    states = [
        {key: data.draw(st.sampled_from(ids)) for key, ids in versions_of_key.items()}
        for _ in range(data.draw(st.integers(2, 3)))
    ]
    resolved = resolution(states, history)
    for key in members:
        assert _membership(resolved, key, history.events) == "join"
    assert resolved.keys() == versions_of_key.keys()


def _membership(state: StateMap, key: tuple[str, str], events: Mapping[str, Pdu]) -> object:
    return events[state[key]].content["membership"] if key in state else None
