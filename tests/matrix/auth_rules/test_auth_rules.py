"""Every numbered rule of every room version, by at least one event that it lets through and one that it stops."""

import json
from pathlib import Path

import pytest

from matrix.auth_rules import scenes_of_invites, scenes_of_members, scenes_of_power_levels, scenes_of_rooms
from matrix.auth_rules.rooms import RULES, Room, Rule
from myelin.matrix.errors import AuthRejected
from myelin.matrix.room_versions import ROOM_VERSIONS, RoomVersion

TABLES = (scenes_of_invites, scenes_of_members, scenes_of_power_levels, scenes_of_rooms)
NUMBERS = json.loads(Path(__file__).with_name("rule_numbers.json").read_text())
"""The numbers of the rules in the spec's text that have no parts."""

CASES = [
    pytest.param(rule, ROOM_VERSIONS[version], id=f"v{version}-{number}-{rule.name}")
    for rule in RULES.values()
    for version, number in rule.numbers.items()
]


@pytest.mark.parametrize(("rule", "version"), CASES)
def test_rule(rule: Rule, version: RoomVersion) -> None:
    room = Room(version)
    outcomes = set()
    for verdict in rule.scene(room):
        outcomes.add(verdict.allowed)
        if verdict.allowed:
            verdict.check(room)
        else:
            number = (RULES[verdict.by] if verdict.by else rule).numbers[version.identifier]
            with pytest.raises(AuthRejected) as refusal:
                verdict.check(room)
            assert refusal.value.rule == number, refusal.value
    assert outcomes == ({True} if rule.always_allows else {True, False})


@pytest.mark.parametrize("version", NUMBERS)
def test_the_scenes_cover_the_spec(version: str) -> None:
    covered = [rule.numbers[version] for rule in RULES.values() if version in rule.numbers]
    assert sorted(covered) == sorted(NUMBERS[version])
