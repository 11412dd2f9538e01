"""A user's own rules: adding, moving, changing, removing, and what is refused."""

from typing import Any

import msgspec
import pytest

from matrix.plain_events import BOB
from myelin.matrix.errors import InvalidParam, MissingParam, NotFound, TooLarge
from myelin.matrix.limits import MAX_JSON_DEPTH
from myelin.matrix.push_rules import MASTER, UNTOUCHED, Ruleset, render_global, render_rule
from myelin.matrix.push_rules.validation import (
    MAX_ACTIONS,
    MAX_CONDITIONS,
    MAX_GLOB_CHARACTERS,
    MAX_PATTERN_LENGTH,
    MAX_RULE_ID_LENGTH,
    MAX_RULES,
    MAX_RULESET_BYTES,
)

NOTIFY: dict[str, Any] = {"actions": ["notify"]}


def order(rules: Ruleset, kind: str = "room") -> list[str]:
    return [rule["rule_id"] for rule in render_global(rules, BOB)[kind]]


def three() -> Ruleset:
    return UNTOUCHED.put("room", "!c", NOTIFY).put("room", "!b", NOTIFY).put("room", "!a", NOTIFY)


def test_a_new_rule_is_the_most_important_of_its_kind() -> None:
    assert order(three()) == ["!a", "!b", "!c"]


def test_own_rules_stand_between_the_master_rule_and_the_other_predefined_ones() -> None:
    rules = UNTOUCHED.put("override", "mine", NOTIFY).put("underride", "mine", NOTIFY)
    assert order(rules, "override")[:3] == [MASTER, "mine", ".m.rule.suppress_notices"]
    assert order(rules, "underride")[:2] == ["mine", ".m.rule.call"]


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ({"before": "!a"}, ["!new", "!a", "!b", "!c"]),
        ({"before": "!c"}, ["!a", "!b", "!new", "!c"]),
        ({"after": "!a"}, ["!a", "!new", "!b", "!c"]),
        ({"after": "!c"}, ["!a", "!b", "!c", "!new"]),
        ({"before": "!c", "after": "!a"}, ["!a", "!b", "!new", "!c"]),
    ],
)
def test_a_rule_can_be_put_beside_another(place: dict[str, str], expected: list[str]) -> None:
    assert order(three().put("room", "!new", NOTIFY, **place)) == expected


@pytest.mark.parametrize(
    ("place", "expected"),
    [({}, ["!a", "!b", "!c"]), ({"before": "!a"}, ["!b", "!a", "!c"]), ({"after": "!c"}, ["!a", "!c", "!b"])],
)
def test_a_changed_rule_stays_in_its_place_unless_moved(place: dict[str, str], expected: list[str]) -> None:
    rules = three().put("room", "!b", {"actions": []}, **place)
    assert order(rules) == expected
    assert rules.get("room", "!b").actions == []


def test_a_changed_rule_stays_disabled() -> None:
    rules = three().set_enabled("room", "!b", False).put("room", "!b", NOTIFY)
    assert not rules.get("room", "!b").enabled


@pytest.mark.parametrize("place", [{"before": "!x"}, {"after": "!x"}, {"before": MASTER}, {"after": "!new"}])
def test_the_rule_beside_which_to_put_it_must_be_the_users_own(place: dict[str, str]) -> None:
    with pytest.raises(InvalidParam, match="before/after rule not found") as refused:
        three().put("room", "!new", NOTIFY, **place)
    assert refused.value.errcode == "M_UNKNOWN"


def test_operations_leave_the_old_ruleset_as_it_was() -> None:
    old = three()
    old.delete("room", "!a")
    old.set_actions("room", "!b", [])
    old.set_enabled("override", MASTER, True)
    assert old == three()


def test_deleting_a_rule() -> None:
    rules = three().delete("room", "!b")
    assert order(rules) == ["!a", "!c"]
    with pytest.raises(NotFound):
        rules.get("room", "!b")
    with pytest.raises(NotFound):
        rules.delete("room", "!b")
    with pytest.raises(NotFound):
        rules.delete("override", MASTER)


@pytest.mark.parametrize(("kind", "rule_id"), [("override", MASTER), ("underride", ".m.rule.message"), ("room", "!a")])
def test_rules_can_be_switched_and_their_actions_changed(kind: str, rule_id: str) -> None:
    rules = three()
    for enabled in (True, False, True):
        rules = rules.set_enabled(kind, rule_id, enabled)
        assert rules.get(kind, rule_id).enabled is enabled
    changed = rules.set_actions(kind, rule_id, ["dont_notify"])
    assert changed.get(kind, rule_id).actions == ["dont_notify"]
    rendered = next(rule for rule in render_global(changed, BOB)[kind] if rule["rule_id"] == rule_id)
    assert rendered == render_rule(changed.get(kind, rule_id), BOB)
    assert rendered["actions"] == ["dont_notify"]


@pytest.mark.parametrize(("kind", "rule_id"), [("override", ".not.a.rule"), ("room", MASTER), ("sender", "@x:y")])
def test_unknown_rules_are_not_found(kind: str, rule_id: str) -> None:
    with pytest.raises(NotFound):
        UNTOUCHED.get(kind, rule_id)
    with pytest.raises(NotFound):
        UNTOUCHED.set_enabled(kind, rule_id, True)
    with pytest.raises(NotFound):
        UNTOUCHED.set_actions(kind, rule_id, [])


def test_unknown_kinds_are_refused() -> None:
    for attempt in (
        lambda: UNTOUCHED.get("device", "x"),
        lambda: UNTOUCHED.put("device", "x", NOTIFY),
        lambda: UNTOUCHED.delete("default_enabled", "x"),
        lambda: UNTOUCHED.set_enabled("device", "x", True),
        lambda: UNTOUCHED.set_actions("device", "x", []),
    ):
        with pytest.raises(InvalidParam):
            attempt()


@pytest.mark.parametrize("enabled", ["true", 1, None, {}])
def test_enabled_must_be_a_boolean(enabled: Any) -> None:
    with pytest.raises(InvalidParam):
        UNTOUCHED.set_enabled("override", MASTER, enabled)


@pytest.mark.parametrize("rule_id", ["", ".mine", "a/b", "a\\b", "a\0b", "x" * (MAX_RULE_ID_LENGTH + 1)])
def test_rule_ids_that_are_refused(rule_id: str) -> None:
    with pytest.raises(InvalidParam):
        UNTOUCHED.put("room", rule_id, NOTIFY)


@pytest.mark.parametrize("rule_id", ["тест", "#spam:example.com", "a.b", "x" * MAX_RULE_ID_LENGTH, "new\nline"])
def test_rule_ids_that_are_taken(rule_id: str) -> None:
    assert order(UNTOUCHED.put("room", rule_id, NOTIFY)) == [rule_id]


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth - 1):
        value = [value]
    return value


MATCH = {"kind": "event_match", "key": "type", "pattern": "m.*"}


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("override", {"conditions": []}),
        ("override", {"actions": "notify", "conditions": []}),
        ("room", {"actions": ["not_an_action"]}),
        ("room", {"actions": [3]}),
        ("room", {"actions": [{}]}),
        ("room", {"actions": [{"set_tweak": 3}]}),
        ("room", {"actions": [{"set_tweak": "sound"}]}),
        ("room", {"actions": [{"set_tweak": "sound", "value": 1}]}),
        ("room", {"actions": [{"set_tweak": "highlight", "value": "yes"}]}),
        ("room", {"actions": ["notify"] * (MAX_ACTIONS + 1)}),
        ("room", {"actions": [{"set_tweak": "x", "value": 2**70}]}),
        ("room", {"actions": [{"set_tweak": "x", "value": nested(MAX_JSON_DEPTH)}]}),
        ("override", {"actions": [], "conditions": [{"kind": "org.example.unknown", "value": 0.5}]}),
        ("content", {"actions": []}),
        ("content", {"actions": [], "pattern": 3}),
        ("content", {"actions": [], "pattern": "x" * (MAX_PATTERN_LENGTH + 1)}),
        ("override", {"actions": [], "conditions": {}}),
        ("override", {"actions": [], "conditions": ["x"]}),
        ("override", {"actions": [], "conditions": [{}]}),
        ("override", {"actions": [], "conditions": [{"kind": 3}]}),
        ("override", {"actions": [], "conditions": [MATCH] * (MAX_CONDITIONS + 1)}),
        ("underride", {"actions": [], "conditions": [{"kind": "event_match", "key": "type"}]}),
        ("underride", {"actions": [], "conditions": [{"kind": "event_match", "pattern": "x"}]}),
        ("underride", {"actions": [], "conditions": [{"kind": "event_property_is", "key": "type"}]}),
        ("underride", {"actions": [], "conditions": [{"kind": "event_property_is", "key": "x", "value": 1.5}]}),
        ("underride", {"actions": [], "conditions": [{"kind": "event_property_is", "key": "x", "value": 2**53}]}),
        ("underride", {"actions": [], "conditions": [{"kind": "event_property_contains", "key": "x", "value": []}]}),
        ("underride", {"actions": [], "conditions": [{"kind": "event_property_contains", "value": "x"}]}),
        ("underride", {"actions": [], "conditions": [{"kind": "room_member_count"}]}),
        ("underride", {"actions": [], "conditions": [{"kind": "room_member_count", "is": 2}]}),
        ("underride", {"actions": [], "conditions": [{"kind": "room_member_count", "is": "=2"}]}),
        ("underride", {"actions": [], "conditions": [{"kind": "room_member_count", "is": "<" + "9" * 11}]}),
        ("underride", {"actions": [], "conditions": [{"kind": "sender_notification_permission"}]}),
    ],
)
def test_rules_that_are_refused(kind: str, body: dict[str, Any]) -> None:
    with pytest.raises((InvalidParam, MissingParam)):
        UNTOUCHED.put(kind, "mine", body)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("override", {"actions": []}),
        ("override", {"actions": ["notify"] * MAX_ACTIONS, "conditions": [MATCH] * MAX_CONDITIONS}),
        ("underride", {"actions": ["notify", "coalesce", {"set_tweak": "flash", "value": {"any": ["thing"]}}]}),
        ("underride", {"actions": [], "conditions": [{"kind": "org.example.unknown", "what": ["ever"]}]}),
        ("underride", {"actions": [], "conditions": [{"kind": "contains_display_name"}]}),
        ("underride", {"actions": [], "conditions": [{"kind": "sender_notification_permission", "key": "room"}]}),
        ("underride", {"actions": [], "conditions": [{"kind": "event_property_is", "key": "x", "value": 2**53 - 1}]}),
        ("underride", {"actions": [], "conditions": [{"kind": "event_property_is", "key": "x", "value": None}]}),
        ("underride", {"actions": [], "conditions": [{"kind": "room_member_count", "is": ">=" + "9" * 10}]}),
        ("content", {"actions": [], "pattern": "x" * MAX_PATTERN_LENGTH}),
        ("sender", {"actions": [{"set_tweak": "highlight"}], "ignored": True}),
    ],
)
def test_rules_come_back_as_they_were_given(kind: str, body: dict[str, Any]) -> None:
    rule = render_rule(UNTOUCHED.put(kind, "mine", body).get(kind, "mine"), BOB)
    expected = {"rule_id": "mine", "default": False, "enabled": True, "actions": body["actions"]}
    if kind in ("override", "underride"):
        expected["conditions"] = body.get("conditions", [])
    if kind == "content":
        expected["pattern"] = body["pattern"]
    assert rule == expected


def test_a_ruleset_survives_being_stored() -> None:
    rules = three().put("content", "cake", {"actions": [], "pattern": "cake*lie"}).set_enabled("override", MASTER, True)
    rules = rules.put("override", "mine", {"actions": [{"set_tweak": "highlight"}], "conditions": [MATCH]})
    rules = rules.set_actions("underride", ".m.rule.message", []).set_enabled("room", "!a", False)
    assert msgspec.json.decode(msgspec.json.encode(rules), type=Ruleset) == rules
    assert msgspec.json.encode(UNTOUCHED) == b"{}"


def test_the_number_of_rules_is_limited() -> None:
    half = MAX_RULES // 2
    rules = msgspec.convert(
        {
            "room": [{"rule_id": f"!{number}", "actions": []} for number in range(half)],
            "sender": [{"rule_id": f"@{number}", "actions": []} for number in range(MAX_RULES - half - 1)],
        },
        Ruleset,
    )
    rules = rules.put("override", "last", NOTIFY)
    with pytest.raises(TooLarge):
        rules.put("override", "one too many", NOTIFY)
    assert rules.put("override", "last", {"actions": []}).get("override", "last").actions == []


def test_the_size_of_all_rules_together_is_limited() -> None:
    def with_tweak(length: int) -> Ruleset:
        return UNTOUCHED.put("room", "!a", {"actions": [{"set_tweak": "x", "value": "y" * length}]})

    frame = len(msgspec.json.encode(with_tweak(0)))
    assert len(msgspec.json.encode(with_tweak(MAX_RULESET_BYTES - frame))) == MAX_RULESET_BYTES
    with pytest.raises(TooLarge):
        with_tweak(MAX_RULESET_BYTES - frame + 1)
    with pytest.raises(TooLarge):
        UNTOUCHED.set_actions("override", MASTER, [{"set_tweak": "x", "value": "y" * MAX_RULESET_BYTES}])


@pytest.mark.parametrize("pattern", ["*" + "x" * 63, "two words" + "x" * 55])
def test_patterns_that_take_matching_are_limited(pattern: str) -> None:
    def put(rules: Ruleset, number: int) -> Ruleset:
        return rules.put("content", f"k{number}", {"actions": [], "pattern": pattern})

    rules = UNTOUCHED
    for number in range(MAX_GLOB_CHARACTERS // 64):
        rules = put(rules, number)
    with pytest.raises(TooLarge):
        put(rules, MAX_RULES)
    room = {"kind": "event_match", "key": "room_id", "pattern": "!room:example.org"}
    rules.put("content", "word", {"actions": [], "pattern": "word"})
    rules.put("override", "same", {"actions": [], "conditions": [room, {"kind": "org.example.other"}]})
