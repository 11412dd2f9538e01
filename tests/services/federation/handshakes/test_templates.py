"""Of a template only its place in the room is believed."""

from typing import Any

import pytest

from myelin.matrix.limits import MAX_AUTH_EVENTS, MAX_PREV_EVENTS
from myelin.matrix.room_versions import ROOM_VERSIONS
from myelin.matrix.signing import SigningKey
from myelin.services.federation.handshakes.own_events import OwnEvents
from myelin.services.federation.handshakes.templates import Wanted, read_template
from myelin.services.federation.peers.errors import PeerNonsense
from myelin.telemetry.ambient import SystemClock, SystemRandomness

WANTED = Wanted("!room:there", "@alice:here", "join")
KEY = SigningKey.from_seed("a", b"1" * 32)


def answer(version: str = "10", **changes: Any) -> dict[str, Any]:
    event = {
        "type": "m.room.member",
        "room_id": "!room:there",
        "sender": "@alice:here",
        "state_key": "@alice:here",
        "content": {"membership": "join"},
        "depth": 7,
        "prev_events": ["$prev"],
        "auth_events": ["$create"],
        **changes,
    }
    return {"room_version": version, "event": event}


def made(given: Any, content: dict[str, Any] | None = None, wanted: Wanted = WANTED):
    own = OwnEvents("here", KEY, SystemClock(), SystemRandomness())
    return own.make(wanted, content or {}, read_template(given, wanted))


@pytest.mark.parametrize("version", ROOM_VERSIONS)
def test_the_event_stands_where_the_template_says_and_says_what_we_want(version: str):
    pairs = version in ("1", "2")
    room_id = "!" + "a" * 43 if version == "12" else "!room:there"
    wanted = WANTED._replace(room_id=room_id)
    given = answer(
        version,
        room_id=room_id,
        prev_events=[["$prev:there", {"sha256": "abc"}]] if pairs else ["$prev"],
        auth_events=[["$create:there", {}]] if pairs else ["$create"],
    )
    pdu = made(given, {"displayname": "Alice"}, wanted)
    assert pdu.prev_events == (("$prev:there",) if pairs else ("$prev",))
    assert pdu.auth_events == (("$create:there",) if pairs else ("$create",))
    assert pdu.depth == 7
    assert pdu.content == {"displayname": "Alice", "membership": "join"}
    assert (pdu.sender, pdu.state_key, pdu.room_id) == ("@alice:here", "@alice:here", room_id)
    assert pdu.event_id.endswith(":here") is pairs


def test_a_template_without_a_version_is_of_the_first_one():
    given = answer("1", prev_events=[["$prev:there", {}]], auth_events=[])
    del given["room_version"]
    assert read_template(given, WANTED).version is ROOM_VERSIONS["1"]


class TestMembershipEndpointsUsedToObtainASignature:
    """CVE-2026-24471: a server was talked into signing arbitrary events."""

    @pytest.mark.parametrize(
        "changes",
        [
            {"type": "m.room.power_levels"},
            {"room_id": "!other:there"},
            {"sender": "@bob:here"},
            {"state_key": "@bob:here"},
            {"state_key": None},
            {"content": {"membership": "ban"}},
            {"content": {}},
            {"content": "join"},
            {"prev_events": []},
            {"prev_events": "$prev"},
            {"prev_events": [["$prev", {}]]},
            {"prev_events": [7]},
            {"prev_events": [f"$prev{i}" for i in range(MAX_PREV_EVENTS + 1)]},
            {"auth_events": [f"$auth{i}" for i in range(MAX_AUTH_EVENTS + 1)]},
            {"auth_events": None},
            {"depth": None},
            {"depth": -1},
            {"depth": True},
            {"depth": 2**53},
        ],
    )
    def test_a_template_for_something_else_is_refused(self, changes: dict[str, Any]):
        with pytest.raises(PeerNonsense):
            read_template(answer(**changes), WANTED)

    @pytest.mark.parametrize("given", [None, [], {}, {"event": 5}, {"event": {}}, {"room_version": "10"}])
    def test_what_is_no_template_is_refused(self, given: Any):
        with pytest.raises(PeerNonsense):
            read_template(given, WANTED)

    @pytest.mark.parametrize("version", ["", "13", "org.example", 10, None, {"a": 1}])
    def test_a_room_version_that_was_not_offered_is_refused(self, version: Any):
        given = answer()
        given["room_version"] = version
        if version == 10:
            # A number that reads like a version is taken for it.
            read_template(given, WANTED)
            return
        with pytest.raises(PeerNonsense):
            read_template(given, WANTED)

    def test_nothing_else_of_the_template_is_signed(self):
        given = answer(
            content={"membership": "join", "displayname": "Mallory", "org.evil": 1, "third_party_invite": {}},
            origin_server_ts=1,
            unsigned={"a": 1},
            redacts="$x",
            hashes={"sha256": "x"},
            signatures={"there": {"ed25519:1": "x"}},
            extra="field",
        )
        raw = made(given, {"displayname": "Alice"}).raw
        assert raw["content"] == {"displayname": "Alice", "membership": "join"}
        assert set(raw) == {
            "auth_events", "content", "depth", "hashes", "origin_server_ts", "prev_events", "room_id", "sender",
            "signatures", "state_key", "type",
        }  # fmt: skip
        assert set(raw["signatures"]) == {"here"}
        assert raw["origin_server_ts"] > 1

    def test_our_content_does_not_change_the_membership(self):
        assert made(answer(), {"membership": "ban"}).content["membership"] == "join"


class TestWhoLetsTheUserIn:
    def test_is_taken_for_a_join_to_a_room_that_knows_it(self):
        content = {"membership": "join", "join_authorised_via_users_server": "@mod:there"}
        assert read_template(answer("8", content=content), WANTED).authorising_user == "@mod:there"

    def test_is_not_taken_where_the_room_version_knows_no_such_thing(self):
        content = {"membership": "join", "join_authorised_via_users_server": "@mod:there"}
        assert read_template(answer("7", content=content), WANTED).authorising_user is None

    @pytest.mark.parametrize("user", [5, "nobody", None, ["@mod:there"]])
    def test_must_be_a_user(self, user: Any):
        content = {"membership": "join", "join_authorised_via_users_server": user}
        with pytest.raises(PeerNonsense):
            read_template(answer("10", content=content), WANTED)
