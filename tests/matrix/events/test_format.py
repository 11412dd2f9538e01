"""The shape of PDUs: every rule refuses, every limit holds at its edge."""

import json
from typing import Any

import pytest
from hypothesis import given

from matrix.strategies import VERSIONS, create_event, event, event_id_for, events, json_values, room_id_for, versions
from myelin.matrix.errors import EventFormatError, EventTooLarge
from myelin.matrix.events.format import check_pdu_format, max_depth
from myelin.matrix.events.pdu import Pdu
from myelin.matrix.limits import MAX_PDU_BYTES
from myelin.matrix.room_versions import V1, V2, V3, V5, V6, V10, V11, V12, RoomVersion

REQUIRED = (
    *("type", "sender", "content", "depth", "origin_server_ts", "auth_events", "prev_events", "hashes"),
    *("signatures", "room_id"),
)
by_version = pytest.mark.parametrize("version", VERSIONS, ids=lambda v: v.identifier)


def changed(version: RoomVersion, **fields: Any) -> dict[str, Any]:
    return event(version).raw | fields


def refused(raw: Any, version: RoomVersion, says: str | None = None, error: type[Exception] = EventFormatError) -> None:
    with pytest.raises(error, match=says):
        check_pdu_format(raw, version)


def references(version: RoomVersion, count: int) -> list[Any]:
    ids = [event_id_for(version) for _ in range(count)]
    return [[event_id, {"sha256": "x"}] for event_id in ids] if version in (V1, V2) else ids


@given(events())
def test_what_we_build_is_well_formed(built: tuple[RoomVersion, Pdu]) -> None:
    version, pdu = built
    check_pdu_format(pdu.raw, version)
    check_pdu_format(pdu.raw | {"unsigned": {"age": 1}, "org.example.unknown": [None]}, version)


@by_version
@pytest.mark.parametrize("key", REQUIRED)
def test_required_keys(version: RoomVersion, key: str) -> None:
    raw = changed(version)
    del raw[key]
    refused(raw, version, key)
    for wrong in (None, True, 1.0, ("a",)):
        refused(changed(version, **{key: wrong}), version)


@pytest.mark.parametrize("raw", [None, [], "x", 5, {}])
def test_not_an_event(raw: Any) -> None:
    for version in VERSIONS:
        refused(raw, version)


@by_version
def test_depth(version: RoomVersion) -> None:
    limit = 2**63 - 1 if version in VERSIONS[:5] else 2**53 - 1
    assert max_depth(version) == limit
    for depth in (0, 1, limit):
        check_pdu_format(changed(version, depth=depth), version)
    for depth in (-1, limit + 1, 2**64, "1", True, None):
        refused(changed(version, depth=depth), version)


@by_version
def test_poison_spreading_numbers_outside_of_canonical_json(version: RoomVersion) -> None:
    strict = version not in VERSIONS[:5]
    for content in ({"a": 2**53}, {"a": [-(2**53)]}, {"a": {"b": 0.5}}):
        if strict:
            refused(changed(version, content=content), version)
        else:
            check_pdu_format(changed(version, content=content), version)


def test_timestamps() -> None:
    for version, limit in ((V5, 2**63 - 1), (V6, 2**53 - 1)):
        for ok in (limit, -limit, 0):
            check_pdu_format(changed(version, origin_server_ts=ok), version)
        for bad in (limit + 1, -limit - 1, False, 1.5):
            refused(changed(version, origin_server_ts=bad), version)


@by_version
def test_nesting_is_bounded_everywhere(version: RoomVersion) -> None:
    def content(levels: int) -> dict[str, Any]:
        value: dict[str, Any] = {}
        for _ in range(levels - 1):
            value = {"a": value}
        return value

    check_pdu_format(changed(version, content=content(99)), version)
    refused(changed(version, content=content(100)), version, "nested")
    refused(changed(version, content=content(3000)), version, "nested")


@by_version
def test_total_size(version: RoomVersion) -> None:
    raw = event(version, content={"body": ""})
    room = MAX_PDU_BYTES - wire_size(raw.raw)
    check_pdu_format(changed(version, content={"body": "a" * room}) | signed_parts(raw), version)
    refused(changed(version, content={"body": "a" * (room + 1)}) | signed_parts(raw), version, "65536", EventTooLarge)
    refused(changed(version, content={"body": "é" * (room // 2 + 1)}), version, "65536", EventTooLarge)


def signed_parts(pdu: Pdu) -> dict[str, Any]:
    return {key: pdu.raw[key] for key in ("hashes", "signatures")}


def wire_size(raw: dict[str, Any]) -> int:
    return len(json.dumps(raw, ensure_ascii=False, separators=(",", ":")).encode())


@by_version
@pytest.mark.parametrize("key", ["type", "state_key"])
def test_lengths_of_type_and_state_key(version: RoomVersion, key: str) -> None:
    for ok in ("a" * 255, "é" * 127 + "a", ""):
        check_pdu_format(changed(version, **{key: ok}), version)
    for long in ("a" * 256, "é" * 128):
        refused(changed(version, **{key: long}), version, key, EventTooLarge)
    refused(changed(version, **{key: "a\0"}), version, "NUL")
    refused(changed(version, state_key=None), version, "state_key")


@by_version
def test_lengths_of_identifiers(version: RoomVersion) -> None:
    check_pdu_format(changed(version, sender="@" + "a" * 250 + ":a.b"), version)
    refused(changed(version, sender="@" + "a" * 251 + ":a.b"), version, "sender")
    if version is not V12:
        check_pdu_format(changed(version, room_id="!" + "é" * 125 + ":a.b"), version)
        refused(changed(version, room_id="!" + "é" * 126 + ":a.b"), version, "room_id")
    if version in (V1, V2):
        check_pdu_format(changed(version, event_id="$" + "a" * 250 + ":a.b"), version)
        refused(changed(version, event_id="$" + "a" * 251 + ":a.b"), version, "event_id")


@by_version
@pytest.mark.parametrize(("key", "limit"), [("auth_events", 10), ("prev_events", 20)])
def test_numbers_of_references(version: RoomVersion, key: str, limit: int) -> None:
    for count in (0, limit):
        check_pdu_format(changed(version, **{key: references(version, count)}), version)
    refused(changed(version, **{key: references(version, limit + 1)}), version, f"more than {limit}")


@pytest.mark.parametrize("key", ["auth_events", "prev_events"])
@pytest.mark.parametrize("bad", ["$a:b", ["$a:b"], ["$a:b", {}, {}], ["$a:b", "hash"], [5, {}], ["a", {}], {}])
def test_references_of_versions_1_and_2_are_pairs(key: str, bad: Any) -> None:
    refused(changed(V1, **{key: [bad]}), V1, key)


@pytest.mark.parametrize("key", ["auth_events", "prev_events"])
@pytest.mark.parametrize("bad", [["$a", {}], 5, None, "a", "$", "$" + "a" * 255, "$a\0", {}])
def test_references_from_version_3_are_event_ids(key: str, bad: Any) -> None:
    for version in (V3, V12):
        refused(changed(version, **{key: [bad]}), version, key)


@by_version
@pytest.mark.parametrize("sender", ["", "alice", "@alice", "@alice:", "@al\0ice:a.b", "@alice:a/b"])
def test_sender_is_a_user_id(version: RoomVersion, sender: str) -> None:
    refused(changed(version, sender=sender), version, "sender")


def test_historical_senders_are_accepted() -> None:
    for version in VERSIONS:
        for sender in ("@:a.b", "@Al ice!:a.b", "@ünï:a.b"):
            check_pdu_format(changed(version, sender=sender), version)


@by_version
def test_room_id_has_the_form_of_the_version(version: RoomVersion) -> None:
    other = room_id_for(V11 if version is V12 else V12)
    for bad in (other, "", "room", "!", "#a:b", None, 5):
        refused(changed(version, room_id=bad), version, "room_id")


def test_create_event_of_version_12_has_no_room_id() -> None:
    raw = create_event(V12).raw
    check_pdu_format(raw, V12)
    for room_id in (room_id_for(V12), None, ""):
        refused(raw | {"room_id": room_id}, V12, "room_id")
    without = {key: value for key, value in create_event(V11).raw.items() if key != "room_id"}
    refused(without, V11, "room_id")


@pytest.mark.parametrize("event_id", [None, 5, "", "a:b", "$" + "a" * 43, "$a\0:b"])
def test_event_id_of_versions_1_and_2(event_id: Any) -> None:
    refused(changed(V1, event_id=event_id), V1, "event_id")


@by_version
@pytest.mark.parametrize("state_key", ["", "alice", "@alice", "@alice:", "@a:b:c"])
def test_malformed_membership_does_not_reach_readers(version: RoomVersion, state_key: str) -> None:
    fields = {"type": "m.room.member", "content": {"membership": "invite"}}
    refused(changed(version, **fields, state_key=state_key), version, "membership")
    check_pdu_format(changed(version, **fields, state_key="@A b:c"), version)
    check_pdu_format(changed(version, **fields), version)


@by_version
def test_hashes_signatures_unsigned(version: RoomVersion) -> None:
    for hashes in ({}, {"sha256": 5}, {"sha256": None}):
        refused(changed(version, hashes=hashes), version, "hashes")
    for signatures in ({"a": None}, {"a": {"ed25519:1": 5}}, {"a": ["x"]}):
        refused(changed(version, signatures=signatures), version, "signatures")
    check_pdu_format(changed(version, signatures={}), version)
    for unsigned in (None, [], "x"):
        refused(changed(version, unsigned=unsigned), version, "unsigned")


def test_target_of_a_redaction() -> None:
    for version in (V1, V10):
        refused(changed(version, type="m.room.redaction", redacts=5), version, "redacts")
        check_pdu_format(changed(version, type="m.room.redaction"), version)
        check_pdu_format(changed(version, redacts=5), version)
    check_pdu_format(changed(V11, type="m.room.redaction", redacts=5, content={"redacts": 5}), V11)


@given(versions, json_values)
def test_any_json_is_well_formed_or_refused(version: RoomVersion, value: Any) -> None:
    for key in (*REQUIRED, "unsigned", "state_key", "redacts", "event_id"):
        try:
            check_pdu_format(changed(version, **{key: value}), version)
        except EventFormatError:
            continue
