"""Redaction, version by version."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matrix.strategies import VERSIONS, event, events, json_objects, json_values, versions
from myelin.matrix.events.pdu import Pdu
from myelin.matrix.events.redaction import redact
from myelin.matrix.room_versions import V1, V5, V6, V7, V8, V9, V10, V11, V12, RoomVersion

ALWAYS = {
    *("event_id", "type", "room_id", "sender", "state_key", "content", "hashes", "signatures", "depth"),
    *("prev_events", "auth_events", "origin_server_ts"),
}
POWER_LEVELS = {"ban", "events", "events_default", "kick", "redact", "state_default", "users", "users_default"}


def kept_content(version: RoomVersion, kind: str, *keys: str) -> set[str]:
    return set(redact({"type": kind, "content": dict.fromkeys([*keys, "other"], 1)}, version)["content"])


@pytest.mark.parametrize("version", VERSIONS, ids=lambda v: v.identifier)
def test_top_level(version: RoomVersion) -> None:
    raw = dict.fromkeys(
        [*ALWAYS, "prev_state", "origin", "membership", "redacts", "unsigned", "age_ts", "x"], "m.room.a"
    )
    before_v11 = {"prev_state", "origin", "membership"} if version not in (V11, V12) else set()
    assert set(redact(raw, version)) == ALWAYS | before_v11
    assert redact(raw, version)["content"] == {}


@pytest.mark.parametrize("version", VERSIONS, ids=lambda v: v.identifier)
def test_content(version: RoomVersion) -> None:
    number = int(version.identifier)
    assert kept_content(version, "m.room.message", "body") == set()
    assert kept_content(version, "m.room.history_visibility", "history_visibility") == {"history_visibility"}
    assert kept_content(version, "m.room.aliases", "aliases") == ({"aliases"} if number <= 5 else set())
    assert kept_content(version, "m.room.join_rules", "join_rule", "allow") == (
        {"join_rule", "allow"} if number >= 8 else {"join_rule"}
    )
    assert kept_content(version, "m.room.member", "membership", "join_authorised_via_users_server", "displayname") == (
        {"membership", "join_authorised_via_users_server"} if number >= 9 else {"membership"}
    )
    assert kept_content(version, "m.room.create", "creator", "room_version") == (
        {"creator", "room_version", "other"} if number >= 11 else {"creator"}
    )
    assert kept_content(version, "m.room.power_levels", *POWER_LEVELS, "invite", "notifications") == (
        POWER_LEVELS | {"invite"} if number >= 11 else POWER_LEVELS
    )
    assert kept_content(version, "m.room.redaction", "redacts", "reason") == ({"redacts"} if number >= 11 else set())


@pytest.mark.parametrize(
    ("invite", "left"),
    [
        ({"display_name": "a", "signed": {"token": "t"}}, {"third_party_invite": {"signed": {"token": "t"}}}),
        ({"display_name": "a"}, {"third_party_invite": {}}),
        ("a", {}),
        (None, {}),
    ],
)
def test_third_party_invite(invite: Any, left: dict[str, Any]) -> None:
    raw = {"type": "m.room.member", "content": {"membership": "invite", "third_party_invite": invite}}
    assert redact(raw, V11)["content"] == {"membership": "invite"} | left
    assert redact(raw, V10)["content"] == {"membership": "invite"}


@given(events())
def test_idempotent_and_without_side_effects(built: tuple[RoomVersion, Pdu]) -> None:
    version, pdu = built
    before = repr(pdu.raw)
    redacted = redact(pdu.raw, version)
    assert redact(redacted, version) == redacted
    assert repr(pdu.raw) == before
    assert redacted["content"].keys() <= pdu.raw["content"].keys()


@given(json_objects, st.fixed_dictionaries({}, optional={"type": json_values, "content": json_values}), versions)
def test_any_object_can_be_redacted(rest: dict[str, Any], some: dict[str, Any], version: RoomVersion) -> None:
    redacted = redact(rest | some, version)
    assert isinstance(redacted["content"], dict)
    assert redact(redacted, version) == redacted


def test_versions_differ_where_they_should() -> None:
    """One event of a type that each change was made for."""
    kept = {
        version.identifier: redact(
            event(
                version,
                type="m.room.member",
                state_key="@a:b",
                content={"membership": "join", "join_authorised_via_users_server": "@c:d"},
            ).raw,
            version,
        )["content"]
        for version in (V1, V5, V6, V7, V8, V9)
    }
    assert [len(content) for content in kept.values()] == [1, 1, 1, 1, 1, 2]
