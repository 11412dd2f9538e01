"""Which create events name a type that is kept with the room."""

from typing import Any

import pytest

from myelin.matrix.events.parse import parse_pdu
from myelin.matrix.room_versions import ROOM_VERSIONS
from myelin.services.rooms.room_types import RoomTypeIndex


def create(version: str, content: dict[str, Any], state_key: str | None = "") -> Any:
    raw: dict[str, Any] = {
        "type": "m.room.create",
        "room_id": "!r:hs1",
        "sender": "@alice:hs1",
        "content": {"room_version": version, **content},
        "auth_events": [],
        "prev_events": [],
        "depth": 1,
        "origin_server_ts": 1,
        "hashes": {"sha256": ""},
    }
    if state_key is not None:
        raw["state_key"] = state_key
    return parse_pdu(raw, ROOM_VERSIONS[version], event_id="$e")


@pytest.mark.parametrize(("version", "is_lost"), [("9", True), ("10", True), ("11", False)])
def test_a_redacted_create_event_keeps_its_type_where_the_version_says_so(version: str, is_lost: bool) -> None:
    index = RoomTypeIndex()
    event = create(version, {"type": "m.space"})
    assert len(index.statements(event, 1)) == len(index.became_state(event)) == 1
    assert bool(index.redacted(event, 1)) is is_lost


@pytest.mark.parametrize("named", ["", "with a \0", 1, None, ["m.space"]])
def test_what_is_no_type_is_not_kept(named: Any) -> None:
    index = RoomTypeIndex()
    event = create("10", {"type": named})
    assert index.statements(event, 1) == index.became_state(event) == index.redacted(event, 1) == []


def test_a_message_of_that_type_is_no_create_event() -> None:
    assert RoomTypeIndex().statements(create("10", {"type": "m.space"}, state_key=None), 1) == []
    assert RoomTypeIndex().statements(create("10", {"type": "m.space"}, state_key="x"), 1) == []
