"""Which state events a requirement asks for."""

import pytest

from myelin.services.sliding_sync.required_state import RequiredState

ME = "@me:hs1"
STATE = {
    ("m.room.create", ""): "$create",
    ("m.room.member", ME): "$me",
    ("m.room.member", "@you:hs1"): "$you",
    ("org.example", ME): "$mine",
    ("m.space.child", "!a:hs1"): "$child",
}


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([], set()),
        ([("m.room.create", "")], {"$create"}),
        ([("m.room.member", "$ME")], {"$me"}),
        ([("*", "$ME")], {"$me", "$mine"}),
        ([("m.room.member", "*")], {"$me", "$you"}),
        ([("*", "*")], set(STATE.values())),
        ([("m.room.member", "$LAZY")], set()),
        ([("*", "*"), ("m.room.member", "$LAZY")], {"$create", "$mine", "$child"}),
        ([("*", "*"), ("m.room.member", "$LAZY"), ("m.room.member", "$ME")], {"$create", "$mine", "$child", "$me"}),
        ([("*", "*"), ("m.room.member", "$LAZY"), ("m.room.member", "*")], set(STATE.values())),
        ([("m.space.child", "*"), ("x", "")], {"$child"}),
    ],
)
def test_select(pairs: list[tuple[str, str]], expected: set[str]) -> None:
    required = RequiredState.of(pairs, ME)
    assert set(required.select(STATE).values()) == expected
    assert RequiredState.stored(required.as_text(), ME) == required


def test_union_asks_for_what_either_does() -> None:
    one, two = RequiredState.of([("a", "")], ME), RequiredState.of([("m.room.member", "$ME"), ("b", "*")], ME)
    both = one.union(two)
    assert both.covers(one)
    assert both.covers(two)
    assert not one.covers(both)
    assert both.wants(("m.room.member", ME))
