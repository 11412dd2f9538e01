"""What another server tells of a room, as clients may see it."""

from typing import Any

import pytest

from myelin.matrix.events.pdu import Pdu
from myelin.matrix.limits import MAX_STATE_KEY_BYTES
from myelin.services.rooms.stripped_state import (
    MAX_STRIPPED_EVENTS,
    server_of,
    told_with,
    well_formed,
    with_stripped_state,
)

NAME = {"type": "m.room.name", "state_key": "", "sender": "@a:b", "content": {"name": "x"}}


def member(membership: str, raw: dict[str, Any]) -> Pdu:
    return Pdu(
        event_id="$1",
        room_id="!r:b",
        type="m.room.member",
        sender="@a:b",
        state_key="@me:here",
        content={"membership": membership},
        auth_events=(),
        prev_events=(),
        depth=1,
        origin_server_ts=1,
        redacts=None,
        raw=raw,
    )


def test_whole_events_are_cut_down():
    assert well_formed([{**NAME, "event_id": "$1", "signatures": {}, "unsigned": {"x": 1}}], "@a:b") == [NAME]


class TestAMalformedInviteBreaksNoSync:
    """CVE-2024-52815."""

    @pytest.mark.parametrize(
        "entry",
        [
            None,
            5,
            "x",
            [],
            {},
            {**NAME, "type": 5},
            {**NAME, "type": "x" * 256},
            {**NAME, "state_key": None},
            {**NAME, "state_key": "x" * (MAX_STATE_KEY_BYTES + 1)},
            {**NAME, "content": []},
            {**NAME, "content": None},
            {**NAME, "sender": 5},
            {**NAME, "sender": "nobody"},
            {key: value for key, value in NAME.items() if key != "sender"},
        ],
    )
    def test_what_is_malformed_is_left_out_alone(self, entry: Any):
        assert well_formed([entry, NAME], "@a:b") == [NAME]

    @pytest.mark.parametrize("given", [None, 5, "text", {}, {"a": 1}])
    def test_what_is_no_list_is_nothing(self, given: Any):
        assert well_formed(given, "@a:b") == []

    @pytest.mark.parametrize("unsigned", [None, 5, [], {}, {"invite_room_state": None}])
    def test_an_invite_without_it_tells_nothing(self, unsigned: Any):
        assert told_with(member("invite", {"unsigned": unsigned})) is None

    def test_nor_does_one_that_holds_something_else(self):
        assert told_with(member("invite", {"unsigned": {"invite_room_state": 7}})) == []


@pytest.mark.parametrize("count", [MAX_STRIPPED_EVENTS, MAX_STRIPPED_EVENTS + 1])
def test_no_more_entries_than_that(count: int):
    given = [{**NAME, "state_key": str(i)} for i in range(count)]
    assert len(well_formed(given, "@a:b")) == MAX_STRIPPED_EVENTS


def test_of_two_entries_for_a_key_the_later_holds():
    later = {**NAME, "content": {"name": "y"}}
    assert well_formed([NAME, later], "@a:b") == [later]


def test_of_members_only_the_inviter_is_shown():
    inviter = {"type": "m.room.member", "state_key": "@a:b", "sender": "@a:b", "content": {"membership": "join"}}
    other = {**inviter, "state_key": "@me:here"}
    assert well_formed([inviter, other], "@a:b") == [inviter]


@pytest.mark.parametrize("membership", ["invite", "knock"])
def test_it_travels_with_the_membership(membership: str):
    raw = with_stripped_state({"unsigned": {"else": 1}}, membership, [NAME])
    assert told_with(member(membership, raw)) == [NAME]
    assert "else" not in raw["unsigned"]


def test_the_server_is_the_inviters_or_the_one_knocked_at():
    assert server_of(member("invite", {})) == "b"
    assert server_of(member("knock", with_stripped_state({}, "knock", [], via="door"))) == "door"
