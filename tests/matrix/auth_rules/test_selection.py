"""Which events of the state go into `auth_events`."""

from typing import Any

import pytest

from matrix.auth_rules.rooms import ALICE, BOB, CAROL
from myelin.matrix.auth_rules import auth_event_keys_for
from myelin.matrix.room_versions import ROOM_VERSIONS, V7, V8, RoomVersion

CREATE = ("m.room.create", "")
LEVELS = ("m.room.power_levels", "")
RULES = ("m.room.join_rules", "")
BOB_IS = ("m.room.member", BOB)
ALICE_IS = ("m.room.member", ALICE)
CAROL_IS = ("m.room.member", CAROL)
TOKEN = ("m.room.third_party_invite", "t")

each_version = pytest.mark.parametrize("version", ROOM_VERSIONS.values(), ids=ROOM_VERSIONS.keys())


def keys(version: RoomVersion, target: str | None, content: dict[str, Any], event_type: str = "m.room.member") -> set:
    """The keys for an event of bob's, without the create event, each once."""
    found = auth_event_keys_for(event_type, BOB, target, content, version)
    assert len(set(found)) == len(found)
    assert (CREATE in found) == (not version.room_id_is_create_hash)
    return set(found) - {CREATE}


@each_version
def test_create_has_none(version: RoomVersion) -> None:
    assert auth_event_keys_for("m.room.create", BOB, "", {}, version) == []


@each_version
def test_messages_and_plain_state(version: RoomVersion) -> None:
    assert keys(version, None, {"membership": "join"}, "m.room.message") == {LEVELS, BOB_IS}
    assert keys(version, ALICE, {"membership": "join"}, "m.room.topic") == {LEVELS, BOB_IS}


@each_version
@pytest.mark.parametrize("membership", ["join", "invite", "knock"])
def test_ways_in_need_the_join_rules(version: RoomVersion, membership: str) -> None:
    assert keys(version, BOB, {"membership": membership}) == {LEVELS, BOB_IS, RULES}
    assert keys(version, ALICE, {"membership": membership}) == {LEVELS, BOB_IS, ALICE_IS, RULES}


@each_version
@pytest.mark.parametrize("membership", ["leave", "ban", "unknown", None, 1, ["join"]])
def test_ways_out_do_not(version: RoomVersion, membership: object) -> None:
    assert keys(version, ALICE, {"membership": membership}) == {LEVELS, BOB_IS, ALICE_IS}
    assert keys(version, None, {}) == {LEVELS, BOB_IS}


@each_version
def test_third_party_invites(version: RoomVersion) -> None:
    content = {"membership": "invite", "third_party_invite": {"signed": {"token": "t"}}}
    invite = {LEVELS, BOB_IS, ALICE_IS, RULES}
    assert keys(version, ALICE, content) == invite | {TOKEN}
    assert keys(version, BOB, {**content, "membership": "join"}) == {LEVELS, BOB_IS, RULES}
    for wrong in (None, [], {}, {"signed": 1}, {"signed": {}}, {"signed": {"token": 1}}, {"signed": {"token": None}}):
        assert keys(version, ALICE, {"membership": "invite", "third_party_invite": wrong}) == invite


@each_version
def test_restricted_joins(version: RoomVersion) -> None:
    def content(user: object, membership: str = "join") -> dict[str, Any]:
        return {"membership": membership, "join_authorised_via_users_server": user}

    join = {LEVELS, BOB_IS, RULES}
    assert keys(version, BOB, content(CAROL)) == (join | {CAROL_IS} if version.restricted else join)
    assert keys(version, BOB, content(BOB)) == join
    assert keys(version, BOB, content(1)) == join
    assert keys(version, ALICE, content(CAROL, "invite")) == join | {ALICE_IS}


def test_restricted_joins_begin_with_version_8() -> None:
    content = {"membership": "join", "join_authorised_via_users_server": CAROL}
    assert CAROL_IS not in keys(V7, BOB, content)
    assert CAROL_IS in keys(V8, BOB, content)
