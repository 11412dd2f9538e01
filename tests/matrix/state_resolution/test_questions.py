"""What state resolution asks for: nothing where nothing is in conflict, and not the whole of a large room."""

from collections.abc import Mapping
from typing import Any

import pytest

from myelin.matrix.events.asking import Asking
from myelin.matrix.events.pdu import Pdu, StateMap
from myelin.matrix.room_versions import ROOM_VERSIONS, V1, V2, V11, V12, RoomVersion
from myelin.matrix.state_resolution import resolve
from myelin.matrix.state_resolution.v2 import auth_difference
from myelin.matrix.state_resolution.v2.auth_difference import BATCHES, LAST_BATCH, MAX_POSSIBILITIES, AuthDifference
from myelin.matrix.state_resolution.v2.conflicted_state import SplitState
from scenes import create_event, load_scene

MEMBERS = 50_000
ALICE, BOB = "@alice:hs1", "@bob:hs2"
IS = "m.room.member"


def questions(asking: Asking[Any], events: Mapping[str, Pdu]) -> tuple[list[frozenset[str]], Any]:
    """All questions, and the result."""
    asked: list[frozenset[str]] = []
    try:
        wanted = next(asking)
        while True:
            asked.append(wanted)
            wanted = asking.send({event_id: events[event_id] for event_id in wanted if event_id in events})
    except StopIteration as done:
        return asked, done.value


@pytest.mark.parametrize("version", ROOM_VERSIONS.values(), ids=ROOM_VERSIONS.keys())
def test_equal_states_are_no_question(version: RoomVersion) -> None:
    state = {("m.room.create", ""): "$create", ("m.room.topic", ""): "$topic"}
    assert questions(resolve([], version), {}) == ([], {})
    for states in ([state], [state, state], [state, dict(state), dict(reversed(state.items()))]):
        asked, resolved = questions(resolve(states, version), {})
        assert asked == []
        assert resolved is state


@pytest.mark.parametrize("version", [V2, V11, V12])
def test_auth_chains_are_asked_for_by_generation(version: RoomVersion) -> None:
    scene = load_scene("ban-against-power-levels", version)
    asked, _ = questions(resolve(scene.states, version), scene.events)
    assert asked[0] == {"$ban-bob", "$bob", "$levels-2", "$levels-3"}
    seen: set[str] = set()
    for question in asked:
        assert question, "a question is not empty"
        assert not question & seen, "nothing is asked for twice"
        seen |= question
    assert "$carol" not in seen, "she is in no dispute"
    assert len(asked) <= 5


@pytest.mark.parametrize("version", [V2, V12])
def test_events_that_nobody_has_are_passed_over(version: RoomVersion) -> None:
    scene = load_scene("topics-by-time", version)
    one, two = scene.states
    two = {**two, ("m.room.topic", ""): "$lost", ("m.room.name", ""): "$lost-too"}
    _, resolved = questions(resolve([one, two], version), scene.events)
    assert resolved == one
    lost = [{("m.room.topic", ""): "$lost"}, {("m.room.topic", ""): "$lost-too"}]
    assert questions(resolve(lost, version), {})[1] == {}


@pytest.mark.parametrize("version", [V2, V12])
def test_auth_events_that_nobody_has_are_passed_over(version: RoomVersion) -> None:
    """Join rules and power levels that a topic and a join name are lost, from the chain and from the state."""
    scene = load_scene("ban-against-power-levels", version)
    for name in ("levels", "rules", "alice"):
        events = {event_id: event for event_id, event in scene.events.items() if event_id != f"${name}"}
        _, resolved = questions(resolve(scene.states, version), events)
        assert resolved.keys() >= {("m.room.create", ""), ("m.room.member", ALICE)}


def test_without_the_create_event_nothing_is_allowed() -> None:
    scene = load_scene("topics-by-time", V12)
    events = {event_id: event for event_id, event in scene.events.items() if event_id != "$create"}
    asked, resolved = questions(resolve(scene.states, V12), events)
    assert any("$create" in question for question in asked)
    assert ("m.room.topic", "") not in resolved


class LargeRoom:
    """A public room with many members; the last one has changed their name twice on one branch."""

    def __init__(self, version: RoomVersion) -> None:
        self.version = version
        create = create_event(version)
        self.events = {create.event_id: create}
        self.state: StateMap = {create.key: create.event_id}
        self.add("m.room.member", ALICE, ALICE, {"membership": "join"}, ["$create"], prev_events=("$create",))
        power = {} if version.privileged_creators else {ALICE: 100}
        levels = self.add("m.room.power_levels", ALICE, "", {"users": power}, ["$create", "$1"])
        rules = self.add("m.room.join_rules", ALICE, "", {"join_rule": "public"}, ["$create", "$1", levels])
        self.way_in = ["$create", levels, rules]
        for number in range(MEMBERS):
            self.join(f"@user{number}:hs{number % 100}")

    def add(self, event_type: str, sender: str, key: str, content: dict, auth: list[str], **fields: Any) -> str:
        number = len(self.events)
        auth = [e for e in auth if e != "$create" or not self.version.room_id_is_create_hash]
        known = {
            "event_id": f"${number}",
            "room_id": self.events["$create"].room_id,
            "type": event_type,
            "sender": sender,
            "state_key": key,
            "content": content,
            "auth_events": tuple(auth),
            "prev_events": ("$before",),
            "depth": number,
            "origin_server_ts": number,
            "redacts": None,
            "raw": {},
        }
        event = Pdu(**{**known, **fields})
        self.events[event.event_id] = event
        self.state[event.key] = event.event_id
        return event.event_id

    def join(self, user: str, name: str = "") -> str:
        before = self.state.get(("m.room.member", user))
        auth = [*self.way_in, *([before] if before else [])]
        return self.add("m.room.member", user, user, {"membership": "join", "displayname": name}, auth)


@pytest.fixture(params=[V2, V12], ids=["v2", "v12"], scope="module")
def large_room(request: pytest.FixtureRequest) -> LargeRoom:
    return LargeRoom(request.param)


A_FEW = 2 * sum(BATCHES) + 20
"""As many events as a change in a room of any size may ask for."""


def resolve_with(large_room: LargeRoom, before: StateMap) -> list[frozenset[str]]:
    """Resolve the room's state with an earlier one, expect it to stay, go back, and tell what was asked."""
    after = dict(large_room.state)
    large_room.state.clear()
    large_room.state.update(before)
    asked, resolved = questions(resolve([before, after], large_room.version), large_room.events)
    assert resolved == after
    assert max(map(len, asked)) <= 2 * LAST_BATCH
    return asked


def test_a_join_in_a_large_room_asks_for_a_few_events(large_room: LargeRoom) -> None:
    before = dict(large_room.state)
    joined = large_room.join(BOB)
    asked = resolve_with(large_room, before)
    assert asked[0] == {joined}
    assert sum(map(len, asked)) < 30


def test_a_change_of_name_in_a_large_room_asks_for_a_few_events(large_room: LargeRoom) -> None:
    before = dict(large_room.state)
    large_room.join(f"@user{MEMBERS - 1}:hs{(MEMBERS - 1) % 100}", "one name")
    assert sum(map(len, resolve_with(large_room, before))) < A_FEW


@pytest.mark.parametrize("changes", [2, 15])
def test_what_does_not_matter_is_not_found_out(large_room: LargeRoom, changes: int) -> None:
    """Only all of the state could tell that nothing rests on the names in between; either way they do not stay."""
    before = dict(large_room.state)
    for number in range(changes):
        large_room.join("@user7:hs7", f"name {number}")
    assert sum(map(len, resolve_with(large_room, before))) < A_FEW


def test_too_many_possibilities_are_not_tried(large_room: LargeRoom) -> None:
    """Then all of the state is asked for, a part at a time."""
    before = dict(large_room.state)
    for number in range(MAX_POSSIBILITIES + 1):
        large_room.join("@user7:hs7", f"name {number}")
    assert MEMBERS < sum(map(len, resolve_with(large_room, before))) < MEMBERS + A_FEW


@pytest.mark.parametrize("rests_on_it", [False, True])
def test_what_matters_is_found_out(large_room: LargeRoom, rests_on_it: bool) -> None:
    """While the room was closed bob was invited and declined; he joined when it was open again.

    If nothing that the branches agree on rests on the closed door, it is replayed, and bob does not get in.
    """
    room = large_room
    create, levels, _ = room.way_in
    shared = dict(room.state)
    closed = room.add("m.room.join_rules", ALICE, "", {"join_rule": "invite"}, [create, levels, shared[IS, ALICE]])
    if rests_on_it:
        last = f"@user{MEMBERS - 1}:hs{(MEMBERS - 1) % 100}"
        room.add(IS, last, last, {"membership": "join"}, [create, levels, shared[IS, last], closed])
    invited = room.add(IS, ALICE, BOB, {"membership": "invite"}, [create, levels, shared[IS, ALICE], closed])
    declined = room.add(IS, BOB, BOB, {"membership": "leave"}, [create, levels, invited])
    again = room.add("m.room.join_rules", ALICE, "", {"join_rule": "public"}, [create, levels, shared[IS, ALICE]])
    room.add(IS, ALICE, ALICE, {"membership": "join"}, [create, levels, shared[IS, ALICE], again])
    without_bob = {key: event_id for key, event_id in room.state.items() if key != (IS, BOB)}
    room.add(IS, BOB, BOB, {"membership": "join"}, [create, levels, declined, again])
    with_bob = dict(room.state)
    room.state.clear()
    room.state.update(shared)
    asked, resolved = questions(resolve([without_bob, with_bob], room.version), room.events)
    assert sum(map(len, asked)) > MEMBERS
    assert resolved == (with_bob if rests_on_it else {**without_bob, (IS, BOB): declined})


def events_with(auth_events: dict[str, list[str]]) -> dict[str, Pdu]:
    template = load_scene("topics-by-time", V2).events["$topic-a"]
    return {e: _changed(template, event_id=e, auth_events=tuple(auth)) for e, auth in auth_events.items()}


def possibilities(auth_events: dict[str, list[str]], maximum: int) -> list[set[str]]:
    """What the auth difference of a topic against none can be, in a room of which nothing else is known."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(auth_difference, "MAX_POSSIBILITIES", maximum)
        split = SplitState({("m.room.name", ""): "$name"}, [{"$topic"}, set()])
        return AuthDifference(split, events_with(auth_events)).possibilities()


def test_what_known_unconflicted_events_rest_on_is_in_no_difference() -> None:
    events = events_with({"$topic": ["$2"], "$2": ["$1"], "$1": []})
    difference = AuthDifference(SplitState({("m.room.name", ""): "$2"}, [{"$topic"}, set()]), events)
    assert difference.rest == {"$2"}


def test_what_other_unconflicted_events_rest_on_is_in_no_difference() -> None:
    events = events_with({"$topic": ["$2"], "$2": ["$1"], "$1": ["$0"], "$0": []})
    difference = AuthDifference(SplitState({("m.room.name", ""): "$name"}, [{"$topic"}, set()]), events)
    asked, _ = questions(difference.narrow_by_all(), {**events, **events_with({"$name": ["$far"], "$far": ["$1"]})})
    assert asked == [{"$name"}, {"$far"}]
    assert difference.rest == {"$2"}


def test_possibilities_of_a_line() -> None:
    line = {"$topic": ["$2"], "$2": ["$1"], "$1": []}
    assert possibilities(line, 3) == [{"$1", "$2"}, {"$2"}, set()]
    assert possibilities(line, 2) == [], "too many"


def test_possibilities_of_independent_events() -> None:
    both = {"$topic": ["$1", "$2"], "$2": [], "$1": []}
    assert sorted(map(sorted, possibilities(both, 4))) == [[], ["$1"], ["$1", "$2"], ["$2"]]
    assert possibilities(both, 3) == [], "too many"


def test_possibilities_of_a_circle_are_not_counted() -> None:
    assert possibilities({"$topic": ["$1"], "$1": ["$2"], "$2": ["$1"]}, 16) == []


@pytest.mark.parametrize("length", [1, 2, 3])
def test_circles_of_auth_events_end(length: int) -> None:
    """Servers choose the event IDs of versions 1 and 2, and so could make events cite each other."""
    scene = load_scene("topics-by-mainline", V2)
    levels = [f"$levels-circle-{n}" for n in range(length)]
    for n, event_id in enumerate(levels):
        auth = ("$create", "$alice", levels[(n + 1) % length])
        scene.events[event_id] = _changed(scene.events["$levels"], event_id=event_id, auth_events=auth)
    scene.events["$topic"] = _changed(
        scene.events["$new-topic"], event_id="$topic", auth_events=("$create", "$alice", levels[0]), sender=ALICE
    )
    other = {**scene.states[1], ("m.room.power_levels", ""): levels[-1], ("m.room.topic", ""): "$topic"}
    for version in (V1, V2):
        for states in ([scene.states[0], other], [other, scene.states[1]], [other, *scene.states]):
            _, resolved = questions(resolve(states, version), scene.events)
            assert resolved["m.room.create", ""] == "$create"
    unconflicted = [{**state, ("m.room.power_levels", ""): levels[-1]} for state in (*scene.states, other)]
    assert ("m.room.topic", "") in questions(resolve(unconflicted, V2), scene.events)[1]


def _changed(event: Pdu, **fields: Any) -> Pdu:
    return Pdu(**{**{name: getattr(event, name) for name in event.__struct_fields__}, **fields})
