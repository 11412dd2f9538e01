"""Levels of users and actions, with and without a power levels event."""

from typing import Any

import pytest

from matrix.auth_rules.rooms import ALICE, BOB, CAROL, Room
from myelin.matrix.power_levels import INFINITE, PowerLevels, creators_of, parse_level
from myelin.matrix.room_versions import ROOM_VERSIONS, V1, V5, V6, V9, V10, V11, V12, RoomVersion

VERSIONS = tuple(ROOM_VERSIONS.values())
each_version = pytest.mark.parametrize("version", VERSIONS, ids=lambda version: f"v{version.identifier}")


def levels_of(version: RoomVersion, content: dict[str, Any] | None) -> PowerLevels:
    room = Room(version)
    return PowerLevels(None if content is None else room.power(**content), room.create, version)


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("100", 100),
        ("000100", 100),
        ("+100", 100),
        ("-100", -100),
        (" 100 ", 100),
        ("\t\n00100 ", 100),
        (" +100 ", 100),
        (" -100 ", -100),
        ("9007199254740993", 9007199254740993),
        ("0" * 4000 + "1", 1),
        ("", None),
        (" ", None),
        ("1 0", None),
        ("+ 1", None),
        ("--1", None),
        ("1.0", None),
        ("1e2", None),
        ("1_0", None),
        ("0x1", None),
        ("١", None),
        ("1" * 5000, None),
    ],
)
def test_strings_are_levels_before_version_10(text: str, level: int | None) -> None:
    assert parse_level(text, V1) == level
    assert parse_level(text, V9) == level
    assert parse_level(text, V10) is None


@pytest.mark.parametrize(
    ("value", "level"),
    [
        (50.57, 50),
        (-50.57, -50),
        (5.114698e4, 51146),
        (float("inf"), None),
        (float("-inf"), None),
        (float("nan"), None),
    ],
)
def test_floats_are_levels_before_canonical_json(value: float, level: int | None) -> None:
    assert parse_level(value, V1) == level
    assert parse_level(value, V5) == level
    assert parse_level(value, V6) is None


@each_version
def test_integers_are_levels_and_other_json_is_not(version: RoomVersion) -> None:
    assert parse_level(-5, version) == -5
    for value in (None, True, False, [], [1], {}, {"level": 1}):
        assert parse_level(value, version) is None


@each_version
def test_defaults_without_power_levels(version: RoomVersion) -> None:
    levels = levels_of(version, None)
    assert levels.is_default
    assert levels.power_level_of(ALICE) == (INFINITE if version is V12 else 100)
    assert levels.power_level_of(BOB) == 0
    assert levels.required_power_for("m.room.message", is_state=False) == 0
    assert levels.required_power_for("m.room.topic", is_state=True) == 50
    assert [levels.level(name) for name in ("ban", "kick", "redact", "invite")] == [50, 50, 50, 0]
    assert levels.notification_level() == 50


@each_version
def test_defaults_with_empty_power_levels(version: RoomVersion) -> None:
    levels = levels_of(version, {})
    assert not levels.is_default
    assert levels.power_level_of(ALICE) == (INFINITE if version is V12 else 0)
    assert levels.power_level_of(BOB) == 0
    assert levels.required_power_for("m.room.message", is_state=False) == 0
    assert levels.required_power_for("m.room.topic", is_state=True) == 50
    assert levels.notification_level() == 50


@each_version
def test_given_levels(version: RoomVersion) -> None:
    levels = levels_of(
        version,
        {
            "users": {BOB: 10},
            "users_default": 1,
            "events": {"m.room.topic": 20},
            "events_default": 2,
            "state_default": 3,
            "ban": 4,
            "notifications": {"room": 5},
        },
    )
    assert levels.power_level_of(BOB) == 10
    assert levels.power_level_of(CAROL) == 1
    assert levels.required_power_for("m.room.topic", is_state=True) == 20
    assert levels.required_power_for("m.room.name", is_state=True) == 3
    assert levels.required_power_for("m.room.message", is_state=False) == 2
    assert levels.level("ban") == 4
    assert levels.notification_level() == 5
    assert levels.notification_level("org.example.other") == 50


@each_version
@pytest.mark.parametrize("wrong", [None, "many", [1], {"a": {}}, True])
def test_what_is_no_level_counts_as_not_given(version: RoomVersion, wrong: object) -> None:
    levels = levels_of(version, {"users": wrong, "events": wrong, "notifications": wrong, "ban": wrong})
    assert levels.power_level_of(BOB) == 0
    assert levels.required_power_for("m.room.topic", is_state=True) == 50
    assert levels.level("ban") == 50
    assert levels.notification_level() == 50
    nested = levels_of(
        version,
        {
            "users": {BOB: wrong},
            "users_default": 7,
            "events": {"m.room.topic": wrong},
            "notifications": {"room": wrong},
        },
    )
    assert nested.power_level_of(BOB) == 7
    assert nested.required_power_for("m.room.topic", is_state=True) == 50
    assert nested.notification_level() == 50


def test_levels_as_strings_count() -> None:
    levels = levels_of(V9, {"users": {BOB: " 10"}, "events": {"m.room.topic": "+20"}, "ban": "030"})
    assert levels.power_level_of(BOB) == 10
    assert levels.required_power_for("m.room.topic", is_state=True) == 20
    assert levels.level("ban") == 30


def test_creators_of_each_version() -> None:
    content = {"creator": BOB, "additional_creators": [CAROL, ALICE, 1]}
    for version in VERSIONS:
        create = Room(version).set("m.room.create", content)
        expected = {BOB} if version.identifier in map(str, range(1, 11)) else {ALICE}
        assert creators_of(create, version) == (expected | {CAROL} if version is V12 else expected)
    assert creators_of(Room(V1).set("m.room.create", {}), V1) == frozenset()
    assert creators_of(Room(V12).set("m.room.create", {"additional_creators": CAROL}), V12) == {ALICE}


def test_creators_of_version_12_are_above_all_levels() -> None:
    room = Room(V12)
    create = room.set("m.room.create", {"additional_creators": [CAROL]})
    levels = PowerLevels(room.power(users={ALICE: 1, BOB: 2**53 - 1}), create, V12)
    assert levels.power_level_of(ALICE) == levels.power_level_of(CAROL) == INFINITE
    assert levels.power_level_of(ALICE) > levels.power_level_of(BOB) == 2**53 - 1
    malformed = room.set("m.room.create", {"additional_creators": CAROL})
    assert PowerLevels(None, malformed, V12).power_level_of(CAROL) == 0


@pytest.mark.parametrize("version", [V1, V11, V12])
def test_levels_without_a_create_event(version: RoomVersion) -> None:
    assert PowerLevels(None, None, version).power_level_of(ALICE) == 0
