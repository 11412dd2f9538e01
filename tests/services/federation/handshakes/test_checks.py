"""What this server takes in a handshake, or signs: that membership of that user, and nothing else."""

from typing import Any

import pytest

from myelin.matrix.errors import BadJson, Forbidden, InvalidParam
from myelin.matrix.events.build import EventDraft, build_pdu
from myelin.matrix.events.pdu import Pdu
from myelin.matrix.room_versions import ROOM_VERSIONS
from myelin.matrix.signing import SigningKey
from myelin.services.federation.handshakes.checks import read_invite, read_membership
from myelin.services.federation.handshakes.templates import Wanted

KEY = SigningKey.from_seed("a", b"1" * 32)
VERSIONS = ("1", "6", "9", "10", "11", "12")


def event(version: str = "10", **changes: Any) -> Pdu:
    pairs = version == "1"
    draft = {
        "room_id": "!" + "a" * 43 if version == "12" else "!room:here",
        "sender": "@alice:there",
        "type": "m.room.member",
        "content": {"membership": "join"},
        "origin_server_ts": 1,
        "depth": 5,
        "prev_events": ["$prev:here" if pairs else "$prev"],
        "auth_events": [],
        "state_key": "@alice:there",
        "event_id": "$event:there" if pairs else None,
        **changes,
    }
    return build_pdu(EventDraft(**draft), ROOM_VERSIONS[version], "there", KEY)


def read(pdu: Pdu, version: str = "10", **changes: Any) -> Pdu:
    given = {"wanted": Wanted(pdu.room_id, "", "join"), "event_id": pdu.event_id, "origin": "there", **changes}
    return read_membership(given.pop("raw", pdu.raw), ROOM_VERSIONS[version], **given)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("membership", ["join", "leave", "knock"])
def test_a_users_own_membership_is_taken(version: str, membership: str):
    pdu = event(version, content={"membership": membership})
    assert read(pdu, version, wanted=Wanted(pdu.room_id, "", membership)).event_id == pdu.event_id


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "m.room.topic"},
        {"content": {"membership": "leave"}},
        {"content": {}},
        {"content": {"membership": ["join"]}},
        {"state_key": "@bob:there"},
        {"state_key": None},
        {"sender": "@alice:elsewhere", "state_key": "@alice:elsewhere"},
        {"sender": "@alice:here", "state_key": "@alice:here"},
    ],
)
def test_forged_senders_and_other_events_are_refused(changes: dict[str, Any]):
    with pytest.raises((InvalidParam, Forbidden)):
        read(event(**changes))


def test_an_event_of_another_room_is_refused():
    with pytest.raises(InvalidParam):
        read(event(), wanted=Wanted("!other:here", "", "join"))


def test_an_event_with_another_id_is_refused():
    with pytest.raises(InvalidParam):
        read(event(), event_id="$other")


def test_an_id_chosen_for_another_server_is_refused():
    pdu = event("1", event_id="$event:elsewhere")
    with pytest.raises(InvalidParam):
        read(pdu, "1")


def test_an_altered_event_is_refused():
    pdu = event()
    raw = {**pdu.raw, "content": {**pdu.raw["content"], "displayname": "Mallory"}}
    with pytest.raises(InvalidParam):
        read(pdu, raw=raw)


def test_what_canonical_json_has_no_form_for_is_refused_as_such():
    pdu = event()
    raw = {**pdu.raw, "content": {**pdu.raw["content"], "share": 0.5}}
    with pytest.raises(BadJson):
        read(pdu, raw=raw)


@pytest.mark.parametrize("raw", [None, [], {}, "x", {"type": "m.room.member"}])
def test_what_is_no_event_is_refused(raw: Any):
    with pytest.raises(InvalidParam):
        read(event(), raw=raw)


def test_what_stands_beside_the_event_is_not_kept():
    pdu = event()
    assert "unsigned" not in read(pdu, raw={**pdu.raw, "unsigned": {"invite_room_state": "x"}}).raw


class TestInvites:
    def invite(self, **changes: Any) -> Pdu:
        return event(**{"content": {"membership": "invite"}, "state_key": "@bob:here", **changes})

    def read(self, pdu: Pdu, origin: str = "there") -> Pdu:
        wanted = Wanted(pdu.room_id, "", "invite")
        return read_invite(pdu.raw, ROOM_VERSIONS["10"], wanted, pdu.event_id, origin, "here")

    def test_an_invite_of_our_user_is_taken(self):
        assert self.read(self.invite()).state_key == "@bob:here"

    @pytest.mark.parametrize(
        "changes",
        [
            {"content": {"membership": "join"}},
            {"content": {"membership": "ban"}},
            {"type": "m.room.power_levels", "state_key": ""},
            {"state_key": "@bob:there"},
            {"state_key": "@bob:here:8448"},
            {"sender": "@bob:here"},
        ],
    )
    def test_anything_else_is_not_signed(self, changes: dict[str, Any]):
        with pytest.raises((InvalidParam, Forbidden)):
            self.read(self.invite(**changes))

    def test_nor_one_that_another_server_hands_in(self):
        with pytest.raises(Forbidden):
            self.read(self.invite(), origin="elsewhere")
