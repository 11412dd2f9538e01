"""Building events: what goes in comes out signed, and nothing leaves that no server would take in."""

from typing import Any

import pytest
from hypothesis import given

from matrix.strategies import (
    ALICE,
    HS1,
    HS1_KEY,
    VERSIONS,
    draft,
    event,
    event_id_for,
    events,
    json_values,
    room_id_for,
    versions,
)
from myelin.matrix.canonical_json import encode_canonical_json
from myelin.matrix.errors import EventFormatError, EventTooLarge
from myelin.matrix.events.build import build_pdu
from myelin.matrix.events.format import max_depth
from myelin.matrix.events.hashes import check_content_hash, event_id_of
from myelin.matrix.events.pdu import Pdu
from myelin.matrix.events.signatures import sign_event, verify_event
from myelin.matrix.limits import MAX_AUTH_EVENTS, MAX_PDU_BYTES, MAX_PREV_EVENTS
from myelin.matrix.room_versions import V1, V5, V6, V12, RoomVersion

by_version = pytest.mark.parametrize("version", VERSIONS, ids=lambda v: v.identifier)


@given(events())
def test_the_short_way_equals_the_long_way(built: tuple[RoomVersion, Pdu]) -> None:
    version, pdu = built
    bare = {key: value for key, value in pdu.raw.items() if key not in ("hashes", "signatures")}
    assert sign_event(bare, version, HS1, HS1_KEY) == pdu.raw
    assert event_id_of(pdu.raw, version) == pdu.event_id
    check_content_hash(pdu.raw, version)
    verify_event(pdu.raw, version, HS1, HS1_KEY.verify_key)


@by_version
def test_a_message(version: RoomVersion) -> None:
    pdu = event(version)
    assert (pdu.sender, pdu.type, pdu.state_key, pdu.depth) == (ALICE, "m.room.message", None, 7)
    assert "state_key" not in pdu.raw
    assert "unsigned" not in pdu.raw
    assert list(pdu.raw["signatures"]) == [HS1]
    assert event(version, state_key="").state_key == ""


@by_version
def test_largest_event(version: RoomVersion) -> None:
    room = MAX_PDU_BYTES - len(encode_canonical_json(event(version, content={"body": ""}).raw))
    largest = event(version, content={"body": "a" * room})
    assert len(encode_canonical_json(largest.raw)) == MAX_PDU_BYTES
    with pytest.raises(EventTooLarge, match="65536"):
        event(version, content={"body": "a" * (room + 1)})


@by_version
def test_depth_stops_at_the_limit(version: RoomVersion) -> None:
    assert event(version, depth=max_depth(version)).depth == max_depth(version)
    assert event(version, depth=max_depth(version) + 1).depth == max_depth(version)


@by_version
def test_numbers_of_references(version: RoomVersion) -> None:
    one = event_id_for(version)
    event(version, prev_events=[one] * MAX_PREV_EVENTS, auth_events=[one] * MAX_AUTH_EVENTS)
    with pytest.raises(EventFormatError):
        event(version, prev_events=[one] * (MAX_PREV_EVENTS + 1))
    with pytest.raises(EventFormatError):
        event(version, auth_events=[one] * (MAX_AUTH_EVENTS + 1))


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"type": "a" * 256}, EventTooLarge),
        ({"state_key": "é" * 128}, EventTooLarge),
        ({"type": "a\0"}, EventFormatError),
        ({"type": "m.room.member", "state_key": "bob"}, EventFormatError),
        ({"sender": "alice"}, EventFormatError),
        ({"sender": "@" + "a" * 300 + ":b"}, EventFormatError),
        ({"room_id": None}, EventFormatError),
        ({"room_id": "room"}, EventFormatError),
        ({"content": {"a": "\ud800"}}, EventFormatError),
    ],
)
def test_what_is_refused(fields: dict[str, Any], error: type[Exception]) -> None:
    for version in (V1, V12):
        with pytest.raises(error):
            event(version, **fields)


@by_version
def test_the_room_id_has_the_form_of_the_version(version: RoomVersion) -> None:
    with pytest.raises(EventFormatError, match="room_id"):
        event(version, room_id=room_id_for(V6 if version is V12 else V12))


def test_canonical_json_is_enforced_from_version_6() -> None:
    for content in ({"a": 1.5}, {"a": 2**53}):
        assert event(V5, content=content).content == content
        with pytest.raises(EventFormatError):
            event(V6, content=content)


@pytest.mark.parametrize("event_id", [None, "", "a", "$" + "a" * 255])
def test_versions_1_and_2_need_an_event_id(event_id: Any) -> None:
    with pytest.raises(EventFormatError, match="event_id"):
        build_pdu(draft(V1, event_id=event_id), V1, HS1, HS1_KEY)


@given(versions, json_values)
def test_the_content_of_a_client_never_crashes(version: RoomVersion, value: Any) -> None:
    pdu = event(version, content={"x": value})
    assert pdu.content == {"x": value}
