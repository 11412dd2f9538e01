"""State resolution of room version 1: conflicts are resolved in passes, by depth and then by hash."""

from hashlib import sha1
from typing import Any

from matrix.auth_rules.rooms import ALICE, BOB, CAROL, DAVE, Room
from myelin.matrix.events.asking import answer
from myelin.matrix.events.pdu import Pdu, StateMap
from myelin.matrix.room_versions import V1
from myelin.matrix.state_resolution import resolve


class Fork:
    """A room whose state is what all branches share, and what they do not."""

    def __init__(self) -> None:
        self.room = Room(V1)
        self.room.power_of(50)
        self.room.join_rule("public")
        self.room.member(BOB, "join")
        self._all: list[Pdu] = []

    def event(self, event_type: str, key: str, content: dict[str, Any], **fields: Any) -> Pdu:
        event = self.room.event(event_type, content, state_key=key, **fields)
        self._all.append(event)
        return event

    def resolve(self, *branches: list[Pdu]) -> list[Pdu]:
        """The events of the resolved state that are not simply shared, sorted by type and key."""
        shared = {key: event.event_id for key, event in self.room.state.items()}
        states: list[StateMap] = [{**shared, **{event.key: event.event_id for event in own}} for own in branches]
        by_id = {event.event_id: event for event in [*self.room.state.values(), *self._all]}
        resolved = answer(resolve(states, V1), by_id)
        assert answer(resolve(states[::-1], V1), by_id) == resolved
        assert resolved.keys() == {key for state in states for key in state}
        return [by_id[e] for _, e in sorted(resolved.items()) if e not in shared.values()]


def test_a_key_of_one_branch_is_no_conflict() -> None:
    fork = Fork()
    name = fork.event("m.room.name", "", {}, sender=DAVE)
    assert fork.resolve([name], []) == [name], "it is not even checked"


def test_without_conflict_nothing_is_asked() -> None:
    one, two = {("a", ""): "$a"}, {("b", ""): "$b"}
    assert answer(resolve([one, two], V1), {}) == {**one, **two}


def test_the_deepest_allowed_event_wins() -> None:
    fork = Fork()
    deep = fork.event("m.room.topic", "", {}, sender=CAROL, depth=9)
    middle = fork.event("m.room.topic", "", {}, sender=BOB, depth=8)
    shallow = fork.event("m.room.topic", "", {}, depth=7)
    assert fork.resolve([deep], [middle], [shallow]) == [middle], "carol is not in the room"


def test_of_the_same_depth_the_lowest_hash_wins() -> None:
    fork = Fork()
    topics = [fork.event("m.room.topic", "", {}, depth=9) for _ in range(4)]
    lowest = min(topics, key=lambda event: sha1(event.event_id.encode()).digest())
    assert fork.resolve(*([topic] for topic in topics)) == [lowest]


def test_if_none_is_allowed_the_shallowest_stays() -> None:
    fork = Fork()
    deep = fork.event("m.room.topic", "", {}, sender=CAROL, depth=9)
    shallow = fork.event("m.room.topic", "", {}, sender=DAVE, depth=8)
    assert fork.resolve([deep], [shallow]) == [shallow]


def test_power_levels_form_a_line_from_the_shallowest() -> None:
    fork = Fork()
    del fork.room.state["m.room.power_levels", ""]
    first = fork.event("m.room.power_levels", "", {"users": {ALICE: 100, BOB: 50}}, depth=5)
    second = fork.event("m.room.power_levels", "", {"users": {ALICE: 100, BOB: 50, CAROL: 50}}, sender=BOB, depth=6)
    third = fork.event("m.room.power_levels", "", {"users": {ALICE: 100}}, depth=7)
    assert fork.resolve([first], [second]) == [second]
    assert fork.resolve([first], [second], [third]) == [third]


def test_the_line_ends_at_the_first_event_that_is_not_allowed() -> None:
    fork = Fork()
    del fork.room.state["m.room.power_levels", ""]
    first = fork.event("m.room.power_levels", "", {"users": {ALICE: 100}}, depth=5)
    second = fork.event("m.room.power_levels", "", {"users": {ALICE: 100, BOB: 50}}, sender=BOB, depth=6)
    third = fork.event("m.room.power_levels", "", {"users": {ALICE: 100, CAROL: 10}}, depth=7)
    assert fork.resolve([first], [second], [third]) == [first]


def test_power_levels_of_the_same_depth_begin_with_the_highest_hash() -> None:
    fork = Fork()
    del fork.room.state["m.room.power_levels", ""]
    levels = [fork.event("m.room.power_levels", "", {"users": {ALICE: 100, BOB: n}}, depth=5) for n in range(4)]
    lowest = min(levels, key=lambda event: sha1(event.event_id.encode()).digest())
    assert fork.resolve(*([one] for one in levels)) == [lowest]


def test_passes_build_on_each_other() -> None:
    fork = Fork()
    del fork.room.state["m.room.join_rules", ""]
    public = fork.event("m.room.join_rules", "", {"join_rule": "public"}, depth=3)
    closed = fork.event("m.room.join_rules", "", {"join_rule": "invite"}, depth=5)
    left = fork.event("m.room.member", CAROL, {"membership": "leave"}, sender=CAROL, depth=4)
    joined = fork.event("m.room.member", CAROL, {"membership": "join"}, sender=CAROL, depth=6)
    topic = fork.event("m.room.topic", "", {}, sender=CAROL, depth=7)
    other = fork.event("m.room.topic", "", {}, sender=BOB, depth=6)
    fork.room.power(users={ALICE: 100, BOB: 50, CAROL: 50})
    assert fork.resolve([public, left, other], [closed, joined, topic]) == [closed, left, other]
    fork.room.join_rule("public")
    assert fork.resolve([left, other], [joined, topic]) == [joined, topic]


def test_without_shared_state_the_conflicts_decide_alone() -> None:
    topics = [Room(V1).event("m.room.topic", {}, state_key="", event_id=f"$topic-{n}") for n in range(2)]
    states: list[StateMap] = [{topic.key: topic.event_id} for topic in topics]
    resolved = answer(resolve(states, V1), {topic.event_id: topic for topic in topics})
    assert resolved in states, "nothing is allowed without a create event, and one of them stays"


def test_events_that_nobody_has_are_passed_over() -> None:
    fork = Fork()
    topic = fork.event("m.room.topic", "", {}, depth=3)
    shared = {key: event.event_id for key, event in fork.room.state.items()}
    states = [
        {**shared, topic.key: topic.event_id, ("m.room.name", ""): "$lost-1"},
        {**shared, topic.key: "$lost-2", ("m.room.name", ""): "$lost-3"},
    ]
    events = {event.event_id: event for event in [*fork.room.state.values(), topic]}
    assert answer(resolve(states, V1), events) == {**shared, topic.key: topic.event_id}
