"""Each kind of condition, by the spec's examples and edges."""

from typing import Any

import pytest

from matrix.plain_events import BOB, ROOM, plain_event
from matrix.push_rules.rooms import facts_of
from myelin.matrix.push_rules import Ruleset, compile_ruleset, evaluate
from myelin.matrix.push_rules.rules import PushRule

TWEAK = {"set_tweak": "matched", "value": "yes"}


def matches(
    condition: dict[str, Any], content: Any = None, *, name: str | None = None, facts: Any = None, **fields: Any
) -> bool:
    """Whether a rule with the condition, stored without validation, matches an event."""
    event = plain_event(**({"content": content} if content is not None else {}) | fields)
    rules = Ruleset(override=(PushRule("mine", [TWEAK], conditions=[condition]),))
    actions = evaluate(compile_ruleset(rules), facts_of(event, **facts or {}), BOB, name)
    return actions.tweaks.get("matched") == "yes"


def match(key: str, pattern: Any) -> dict[str, Any]:
    return {"kind": "event_match", "key": key, "pattern": pattern}


@pytest.mark.parametrize(
    ("topic", "expected"),
    [("Lunch plans", True), ("LUNCH", True), (" lunch", False), ("lunc", False), (None, False), (["Lunch"], False)],
)
def test_event_match_takes_the_entire_value_whatever_the_case(topic: Any, expected: bool) -> None:
    assert matches(match("content.topic", "lunc?*"), {"topic": topic}) is expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("An example event.", True),
        ("exple", True),
        ("An exciting triple-whammy", True),
        ("examples", False),
        (3, False),
    ],
)
def test_event_match_takes_words_of_the_body(body: Any, expected: bool) -> None:
    assert matches(match("content.body", "ex*ple"), {"body": body}) is expected


@pytest.mark.parametrize(
    ("pattern", "body", "expected"),
    [
        ("Cake", "CAKE!", True),
        ("cake", "cakes", False),
        ("two words", "Two words", True),
        ("two words", "two wordsmiths", False),
        ("*", "", True),
        ("*", None, False),
        ("", "", True),
        ("", None, False),
        ("тест", "это тест", True),
    ],
)
def test_content_rules_match_as_event_match_does(pattern: str, body: Any, expected: bool) -> None:
    content = {} if body is None else {"body": body}
    assert matches(match("content.body", pattern), content) is expected
    rules = Ruleset().put("content", "mine", {"actions": [TWEAK], "pattern": pattern})
    event = plain_event(type="org.example", content=content)
    assert bool(evaluate(compile_ruleset(rules), facts_of(event), BOB).raw) is expected


@pytest.mark.parametrize(
    ("key", "pattern", "fields", "expected"),
    [
        ("type", "m.room.message", {}, True),
        ("type", "M.ROOM.Message", {}, True),
        ("type", "m.room.message", {"type": "M.room.message"}, True),
        ("type", "m.room.*", {}, True),
        ("type", "m.call.*", {}, False),
        ("type", "*", {}, True),
        ("room_id", ROOM, {}, True),
        ("sender", "@alice:*", {}, True),
        ("state_key", "", {}, False),
        ("state_key", "*", {}, False),
        ("state_key", "", {"state_key": ""}, True),
        ("event_id", "$event", {}, True),
        ("redacts", "*", {}, False),
        ("redacts", "$x", {"redacts": "$x"}, True),
        ("content", "*", {}, False),
        ("", "*", {}, False),
        ("unknown", "*", {}, False),
        ("origin", "hs1", {"raw": {"origin": "HS1"}}, True),
        ("hashes.sha256", "abc", {"raw": {"hashes": {"sha256": "abc"}}}, True),
        (r"content.m\.dotted.x\\y", "z", {"content": {"m.dotted": {"x\\y": "z"}}}, True),
        ("content.m.dotted", "*", {"content": {"m.dotted": "z"}}, False),
        ("content.a.b", "*", {"content": {"a": "not an object"}}, False),
    ],
)
def test_event_match_reads_any_property(key: str, pattern: str, fields: dict[str, Any], expected: bool) -> None:
    assert matches(match(key, pattern), **fields) is expected


def test_two_conditions_on_the_type_must_both_hold() -> None:
    rules = Ruleset().put(
        "override", "never", {"actions": [TWEAK], "conditions": [match("type", "m.a"), match("type", "m.b")]}
    )
    for event_type in ("m.a", "m.b"):
        event = plain_event(type=event_type)
        assert evaluate(compile_ruleset(rules), facts_of(event), BOB).raw == []


@pytest.mark.parametrize(
    ("value", "actual", "expected"),
    [
        (True, True, True),
        (True, "true", False),
        (True, 1, False),
        (1, True, False),
        (1, 1, True),
        (1, 1.0, False),
        (0, False, False),
        (None, None, True),
        (None, False, False),
        ("x", "x", True),
        ("x", "X", False),
        ("x", ["x"], False),
    ],
)
def test_event_property_is_compares_exactly(value: Any, actual: Any, expected: bool) -> None:
    condition = {"kind": "event_property_is", "key": r"content.m\.federate", "value": value}
    assert matches(condition, {"m.federate": actual}) is expected
    assert not matches(condition, {})


@pytest.mark.parametrize(
    ("value", "items", "expected"),
    [
        ("#a:b", ["#x:y", "#a:b"], True),
        (":b", ["#a:b"], False),
        (1, [True, 1.0], False),
        (1, ["1", {}, 1], True),
        (None, [None], True),
        (None, [], False),
        ("a", "a", False),
        ("a", {"a": "a"}, False),
    ],
)
def test_event_property_contains_looks_into_arrays(value: Any, items: Any, expected: bool) -> None:
    condition = {"kind": "event_property_contains", "key": "content.items", "value": value}
    assert matches(condition, {"items": items}) is expected
    assert not matches(condition, {})


@pytest.mark.parametrize(
    ("name", "body", "expected"),
    [
        ("Bob", "hello BOB!", True),
        ("Bob", "bobby", False),
        ("Bob B.", "is bob b. here", True),
        ("Bob B.", "is rob b. here", False),
        ("B*", "bob", False),
        ("", "anything", False),
        (None, "anything", False),
        ("Bob", None, False),
        ("Bob B.", 7, False),
    ],
)
def test_contains_display_name_takes_the_name_literally(name: str | None, body: Any, expected: bool) -> None:
    assert matches({"kind": "contains_display_name"}, {"body": body}, name=name) is expected


@pytest.mark.parametrize(
    ("comparison", "counts"),
    [
        ("2", [2]),
        ("==2", [2]),
        ("<2", [1]),
        (">2", [3]),
        ("<=2", [1, 2]),
        (">=2", [2, 3]),
        ("=2", []),
        (" 2", []),
        ("2\n", []),
        ("", []),
        (2, []),
        ("-1", []),
        ("٣", []),
    ],
)
def test_room_member_count_compares(comparison: Any, counts: list[int]) -> None:
    condition = {"kind": "room_member_count", "is": comparison}
    assert [count for count in (1, 2, 3) if matches(condition, facts={"members": count})] == counts


@pytest.mark.parametrize(
    ("key", "levels", "sender_level", "expected"),
    [
        ("room", {}, 50, True),
        ("room", {}, 49, False),
        ("room", {"notifications": {"room": 20}}, 20, True),
        ("room", {"notifications": {"room": 20}}, 19, False),
        ("room", {"notifications": {"room": "x"}}, 49, False),
        ("room", {"notifications": []}, 50, True),
        ("other", {"notifications": {"room": 0}}, 49, False),
        ("other", {"notifications": {"other": 0}}, 0, True),
    ],
)
def test_sender_notification_permission_reads_the_power_levels(
    key: str, levels: dict[str, Any], sender_level: int, expected: bool
) -> None:
    condition = {"kind": "sender_notification_permission", "key": key}
    assert matches(condition, facts={"sender_level": sender_level, **levels}) is expected


@pytest.mark.parametrize(
    "condition",
    [
        {},
        {"kind": ["event_match"]},
        {"kind": "org.example.unknown"},
        {"kind": "device"},
        {"kind": "event_match", "pattern": "*"},
        {"kind": "event_match", "key": "type"},
        {"kind": "event_match", "key": "type", "pattern": 3},
        {"kind": "event_property_is", "key": "type"},
        {"kind": "event_property_is", "value": "m.room.message"},
        {"kind": "event_property_is", "key": "type", "value": ["m.room.message"]},
        {"kind": "event_property_contains", "key": "content.list"},
        {"kind": "event_property_contains", "value": "x"},
        {"kind": "room_member_count"},
        {"kind": "sender_notification_permission"},
    ],
)
def test_unknown_and_malformed_conditions_never_match(condition: dict[str, Any]) -> None:
    assert not matches(condition, {"list": ["x"]})
