"""Filters are read as clients write them, and refused where they are wrong."""

from typing import Any

import msgspec
import pytest

from matrix.plain_events import ALICE, ROOM
from myelin.matrix.errors import BadJson, InvalidParam
from myelin.matrix.filters import FilterBody, parse_filter, parse_room_event_filter
from myelin.matrix.filters.bodies import MAX_ENTRY_LENGTH, MAX_FILTER_ENTRIES, MAX_WILDCARD_CHARACTERS

EXAMPLE = {
    "room": {
        "state": {"types": ["m.room.*"], "not_rooms": ["!726s6s6q:example.com"]},
        "timeline": {"limit": 10, "types": ["m.room.message"], "not_senders": ["@spam:example.com"]},
        "ephemeral": {"types": ["m.receipt", "m.typing"], "not_rooms": ["!726s6s6q:example.com"]},
        "account_data": {"not_types": ["m.tag"]},
        "include_leave": True,
        "not_rooms": ["!hidden:example.com"],
    },
    "presence": {"types": ["m.presence"], "not_senders": ["@alice:example.com"]},
    "account_data": {"types": ["m.push_rules"]},
    "event_format": "federation",
    "event_fields": ["type", "content", "sender"],
    "org.example.unknown": True,
}


def test_the_spec_s_example() -> None:
    parsed = parse_filter(EXAMPLE)
    assert parsed.event_format == "federation"
    assert parsed.event_fields is not None
    assert parsed.event_fields.project({"type": "x", "room_id": "y"}) == {"type": "x"}
    assert parsed.room.include_leave
    assert parsed.room.timeline.limit == 10
    assert not parsed.room.timeline.matches("m.room.message", "@spam:example.com", ROOM)
    assert parsed.room.state.matches("m.room.topic", ALICE, ROOM)
    assert not parsed.room.ephemeral.matches("m.typing", None, "!726s6s6q:example.com")
    assert not parsed.room.account_data.matches("m.tag", None, ROOM)
    assert not parsed.presence.matches("m.presence", "@alice:example.com")
    assert parsed.account_data.matches("m.push_rules")


@pytest.mark.parametrize(
    ("room", "allowed"),
    [
        ({}, True),
        ({"rooms": [ROOM]}, True),
        ({"rooms": []}, False),
        ({"not_rooms": [ROOM]}, False),
        ({"rooms": [ROOM], "not_rooms": [ROOM]}, False),
    ],
)
def test_rooms_are_included_or_not(room: dict[str, Any], allowed: bool) -> None:
    assert parse_filter({"room": room, "event_format": "federation"}).room.allows_room(ROOM) is allowed


@pytest.mark.parametrize(
    "body",
    [
        [],
        "x",
        None,
        {"presence": "not_an_object"},
        {"room": {"timeline": "not_an_object"}},
        {"room": {"state": "not_an_object"}},
        {"room": {"ephemeral": "not_an_object"}},
        {"room": {"account_data": "not_an_object"}},
        {"room": {"timeline": {"rooms": "not_a_list"}}},
        {"room": {"timeline": {"not_types": "not_a_list"}}},
        {"room": {"timeline": {"types": [0]}}},
        {"room": {"timeline": {"limit": -1}}},
        {"room": {"timeline": {"limit": "5"}}},
        {"room": {"timeline": {"limit": True}}},
        {"room": {"include_leave": "yes"}},
        {"event_format": "other"},
        {"event_fields": "content"},
        {"event_fields": ["x" * (MAX_ENTRY_LENGTH + 1)]},
        {"account_data": {"types": ["m.x"] * (MAX_FILTER_ENTRIES + 1)}},
        {"account_data": {"senders": [ALICE] * (MAX_FILTER_ENTRIES + 1)}},
        {"account_data": {"types": ["x" * (MAX_ENTRY_LENGTH + 1)]}},
    ],
)
def test_what_is_no_filter_is_refused(body: Any) -> None:
    with pytest.raises(BadJson):
        parse_filter(body)


@pytest.mark.parametrize(
    "body",
    [
        {"presence": {"senders": ["alice"]}},
        {"account_data": {"not_senders": ["@alice"]}},
        {"room": {"rooms": ["not_a_room_id"]}},
        {"room": {"not_rooms": ["#alias:example.com"]}},
        {"room": {"timeline": {"rooms": ["not_a_room_id"]}}},
        {"room": {"state": {"not_rooms": ["!" + "x" * 250 + ":example.com"]}}},
        {"room": {"ephemeral": {"senders": ["not_a_sender_id"]}}},
        {"room": {"account_data": {"related_by_senders": [""]}}},
    ],
)
def test_wrong_identifiers_are_refused(body: dict[str, Any]) -> None:
    with pytest.raises(InvalidParam):
        parse_filter(body)


def test_filters_of_other_endpoints_are_checked_too() -> None:
    with pytest.raises(BadJson):
        parse_room_event_filter({"types": 3})
    with pytest.raises(InvalidParam):
        parse_room_event_filter({"senders": ["x"]})


def test_the_largest_lists_are_taken() -> None:
    longest = "x" * MAX_ENTRY_LENGTH
    parsed = parse_filter({"account_data": {"types": [longest] * MAX_FILTER_ENTRIES}})
    assert parsed.account_data.matches(longest)


@pytest.mark.parametrize("name", ["types", "not_types"])
def test_wildcards_are_limited(name: str) -> None:
    entries = ["*" + "x" * 127] * (MAX_WILDCARD_CHARACTERS // 128)
    assert parse_room_event_filter({name: [*entries, "no wildcard"]}).matches("y" + "x" * 127) is (name == "types")
    with pytest.raises(InvalidParam):
        parse_room_event_filter({name: [*entries, "*"]})


def test_a_filter_can_be_stored_and_given_back() -> None:
    body = msgspec.convert(EXAMPLE, FilterBody)
    assert msgspec.to_builtins(body) == {key: value for key, value in EXAMPLE.items() if key != "org.example.unknown"}
