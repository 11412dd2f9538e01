"""Which events a filter lets through."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matrix.plain_events import ALICE, BOB, ROOM
from myelin.matrix.filters import EVERYTHING, UNFILTERED, EventFilter, parse_filter, parse_room_event_filter
from myelin.matrix.filters.event_filter import MAX_LIMIT, TypeMatcher
from myelin.matrix.globs import GlobSet

MESSAGE = "m.room.message"


@pytest.mark.parametrize(
    ("body", "event", "passes"),
    [
        ({"types": [MESSAGE]}, (MESSAGE, ALICE, ROOM), True),
        ({"types": ["m.room.topic"]}, (MESSAGE, ALICE, ROOM), False),
        ({"types": []}, (MESSAGE, ALICE, ROOM), False),
        ({"types": ["m.room.*"]}, (MESSAGE, ALICE, ROOM), True),
        ({"types": ["m.*.message"]}, (MESSAGE, ALICE, ROOM), True),
        ({"types": ["*.message"]}, (MESSAGE, ALICE, ROOM), True),
        ({"types": ["m.r*m.topic"]}, (MESSAGE, ALICE, ROOM), False),
        ({"types": ["m.room.messag?"]}, (MESSAGE, ALICE, ROOM), False),
        ({"types": ["M.room.message"]}, (MESSAGE, ALICE, ROOM), False),
        ({"types": ["*"]}, (MESSAGE, ALICE, ROOM), True),
        ({"types": [MESSAGE], "not_types": ["m.room.*"]}, (MESSAGE, ALICE, ROOM), False),
        ({"not_types": ["m.room.topic"]}, (MESSAGE, ALICE, ROOM), True),
        ({"not_types": ["*"]}, (MESSAGE, ALICE, ROOM), False),
        ({"not_types": []}, (MESSAGE, ALICE, ROOM), True),
        ({"senders": [ALICE]}, (MESSAGE, ALICE, ROOM), True),
        ({"senders": [ALICE]}, (MESSAGE, BOB, ROOM), False),
        ({"senders": []}, (MESSAGE, ALICE, ROOM), False),
        ({"senders": [ALICE]}, ("m.tag", None, ROOM), False),
        ({"not_senders": [ALICE]}, ("m.tag", None, ROOM), True),
        ({"not_senders": [ALICE]}, (MESSAGE, ALICE, ROOM), False),
        ({"senders": [ALICE], "not_senders": [ALICE]}, (MESSAGE, ALICE, ROOM), False),
        ({"rooms": [ROOM]}, (MESSAGE, ALICE, ROOM), True),
        ({"rooms": ["!other:x"]}, (MESSAGE, ALICE, ROOM), False),
        ({"rooms": []}, (MESSAGE, ALICE, ROOM), False),
        ({"not_rooms": [ROOM]}, (MESSAGE, ALICE, ROOM), False),
        ({"rooms": [ROOM], "not_rooms": [ROOM]}, (MESSAGE, ALICE, ROOM), False),
        ({"rooms": ["!other:x"]}, ("m.presence", ALICE), True),
        ({"types": None, "senders": None, "contains_url": None}, (MESSAGE, ALICE, ROOM), True),
    ],
)
def test_lists_include_and_not_lists_exclude(body: dict[str, Any], event: tuple[Any, ...], passes: bool) -> None:
    assert parse_room_event_filter(body).matches(*event) is passes


@pytest.mark.parametrize(
    ("wanted", "has_url", "passes"),
    [(True, True, True), (True, False, False), (False, True, False), (False, False, True), (None, True, True)],
)
def test_contains_url(wanted: bool | None, has_url: bool, passes: bool) -> None:
    event_filter = parse_room_event_filter({"contains_url": wanted})
    assert event_filter.matches(MESSAGE, ALICE, ROOM, has_url=has_url) is passes


@pytest.mark.parametrize(
    ("body", "related", "passes"),
    [
        ({"related_by_rel_types": ["m.thread"]}, [], False),
        ({"related_by_rel_types": ["m.thread"]}, [("m.thread", BOB)], True),
        ({"related_by_rel_types": ["m.thread"]}, [("m.replace", BOB)], False),
        ({"related_by_senders": [ALICE]}, [("m.thread", BOB)], False),
        ({"related_by_senders": [ALICE]}, [("m.thread", BOB), ("m.x", ALICE)], True),
        ({"related_by_senders": [BOB], "related_by_rel_types": ["m.x"]}, [("m.thread", BOB), ("m.x", ALICE)], False),
        ({"related_by_senders": [BOB], "related_by_rel_types": ["m.x"]}, [("m.x", BOB)], True),
    ],
)
def test_events_can_be_chosen_by_what_relates_to_them(
    body: dict[str, Any], related: list[tuple[str, str]], passes: bool
) -> None:
    event_filter = parse_room_event_filter(body)
    assert event_filter.needs_relations
    assert event_filter.matches(MESSAGE, ALICE, ROOM, related=related) is passes


@pytest.mark.parametrize(
    ("body", "passes_all", "passes_none"),
    [
        ({}, True, False),
        ({"limit": 5, "lazy_load_members": True}, True, False),
        ({"types": ["*"], "not_types": [], "not_rooms": []}, True, False),
        ({"types": []}, False, True),
        ({"senders": []}, False, True),
        ({"rooms": []}, False, True),
        ({"not_types": ["m.x", "*"]}, False, True),
        ({"types": ["m.x"]}, False, False),
        ({"contains_url": False}, False, False),
        ({"not_senders": [ALICE]}, False, False),
        ({"related_by_senders": []}, False, False),
    ],
)
def test_a_filter_says_when_there_is_no_need_to_ask(body: dict[str, Any], passes_all: bool, passes_none: bool) -> None:
    event_filter = parse_room_event_filter(body)
    assert (event_filter.passes_all, event_filter.passes_none) == (passes_all, passes_none)
    if passes_all or passes_none:
        assert event_filter.matches(MESSAGE, ALICE, ROOM) is passes_all


def test_rooms_can_be_asked_about_as_a_whole() -> None:
    event_filter = parse_room_event_filter({"not_rooms": [ROOM]})
    assert not event_filter.allows_room(ROOM)
    assert event_filter.allows_room("!other:x")


@pytest.mark.parametrize(
    ("limit", "expected"), [(None, None), (0, 0), (1, 1), (MAX_LIMIT, MAX_LIMIT), (MAX_LIMIT + 1, MAX_LIMIT)]
)
def test_the_limit_is_capped(limit: int | None, expected: int | None) -> None:
    assert parse_room_event_filter({"limit": limit}).limit == expected


def test_flags_are_carried_over() -> None:
    flags = ("lazy_load_members", "include_redundant_members", "unread_thread_notifications")
    for flag in flags:
        event_filter = parse_room_event_filter({flag: True})
        assert [getattr(event_filter, name) for name in flags] == [name == flag for name in flags]


def test_empty_filters_are_the_shared_one() -> None:
    assert parse_room_event_filter({}) is EVERYTHING
    assert parse_filter({"room": {"timeline": {}}, "presence": {}}).room.timeline is EVERYTHING
    assert parse_filter({"presence": {}}).presence is EVERYTHING
    assert parse_filter({}) is UNFILTERED
    assert isinstance(UNFILTERED.room.state, EventFilter)


@given(st.lists(st.text("ab.*", max_size=5), max_size=5), st.text("ab.", max_size=6))
def test_type_lists_agree_with_globs(types: list[str], event_type: str) -> None:
    assert TypeMatcher(types).matches(event_type) == (GlobSet(types).matches(event_type) != 0)
