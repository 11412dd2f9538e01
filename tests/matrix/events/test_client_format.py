"""Events as clients see them."""

import pytest
from hypothesis import given

from matrix.strategies import ALICE, NOW, VERSIONS, event, event_id_for, events, room_id_for
from myelin.matrix.events.client_format import client_event, client_event_without_room_id, stripped_state_event
from myelin.matrix.events.pdu import Pdu
from myelin.matrix.room_versions import V10, V12, RoomVersion


def test_a_message() -> None:
    pdu = event(V12)
    assert client_event(pdu) == {
        "content": {"body": "hello", "msgtype": "m.text"},
        "event_id": pdu.event_id,
        "origin_server_ts": NOW,
        "room_id": room_id_for(V12),
        "sender": ALICE,
        "type": "m.room.message",
    }


def test_state() -> None:
    pdu = event(V12, type="m.room.name", state_key="", content={"name": "a"})
    assert client_event(pdu)["state_key"] == ""
    assert stripped_state_event(pdu) == {
        "content": {"name": "a"},
        "sender": ALICE,
        "state_key": "",
        "type": "m.room.name",
    }


@pytest.mark.parametrize("version", VERSIONS, ids=lambda v: v.identifier)
def test_redactions_name_their_target_twice_in_every_version(version: RoomVersion) -> None:
    target = event_id_for(version, "t")
    pdu = event(version, type="m.room.redaction", content={"reason": "spam"}, redacts=target)
    seen = client_event(pdu)
    assert seen["redacts"] == target
    assert seen["content"] == {"reason": "spam", "redacts": target}


def test_a_target_in_the_content_of_an_old_redaction_does_not_count() -> None:
    pdu = event(V10, type="m.room.redaction", content={"redacts": "$lie"}, redacts="$truth")
    assert client_event(pdu)["content"] == {"redacts": "$truth"}
    assert pdu.content == {"redacts": "$lie"}
    message = event(V10, content={"redacts": "$x"})
    assert "redacts" not in client_event(message)


@given(events())
def test_only_the_keys_of_the_format_and_a_dict_of_its_own(built: tuple[RoomVersion, Pdu]) -> None:
    _, pdu = built
    before = repr(pdu.raw)
    seen = client_event(pdu)
    assert seen.keys() <= {
        *("content", "event_id", "origin_server_ts", "redacts", "room_id", "sender", "state_key", "type"),
    }
    assert ("state_key" in seen) is pdu.is_state
    assert client_event_without_room_id(pdu) == {key: value for key, value in seen.items() if key != "room_id"}
    seen["unsigned"] = {"age": 1}
    assert repr(pdu.raw) == before
