"""A room that another server gives to who joins is believed as far as its own rules go."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from federation.scripted_room import ScriptedRoom
from myelin.matrix.errors import CoreError, MyelinError
from myelin.matrix.events.signatures import verify_redacted_bytes
from myelin.matrix.room_versions import ROOM_VERSIONS
from myelin.matrix.signing import SigningKey
from myelin.services.federation.handshakes.received_room import ReceivedRoom, ReceivedRooms
from myelin.services.federation.peers.errors import PeerNonsense
from myelin.services.federation.peers.key_ring import EventSignature
from myelin.services.federation.receiving.pdu_checks import PduChecks
from myelin.telemetry.ambient import SystemClock

KEY = SigningKey.from_seed("a", b"1" * 32)
VERSIONS = ("1", "6", "9", "10", "11", "12")


class Keys:
    """A key ring that knows one key, of every server."""

    async def verify_events(self, checks: Sequence[EventSignature], pace: object = None) -> list[MyelinError | None]:
        return [self._verify(check) for check in checks]

    def _verify(self, check: EventSignature) -> MyelinError | None:
        try:
            verify_redacted_bytes(check.redacted, check.raw, check.server_name, KEY.verify_key)
        except CoreError as error:
            return error
        return None


class Given:
    """A room with some state, and the join of somebody."""

    def __init__(self, version: str = "11") -> None:
        self.room = ScriptedRoom("there", KEY, "@creator:there", version)
        self.room.join("@bob:there")
        self.join = self.room.build(
            "m.room.member", {"membership": "join"}, sender="@alice:there", state_key="@alice:there"
        )
        self.state = [self.room.events[event_id] for event_id in self.room.state.values()]
        self.chain = self.room.auth_chain([*self.room.state.values()])

    async def read(self, *, partial: bool = False, **changes: Any) -> ReceivedRoom:
        answer: Mapping[str, Any] = {
            "state": [pdu.raw for pdu in self.state],
            "auth_chain": [pdu.raw for pdu in self.chain],
            **changes,
        }
        rooms = ReceivedRooms(PduChecks(Keys(), SystemClock()), SystemClock())  # type: ignore[arg-type]  # all of the key ring that is used
        return await rooms.read(answer, self.room.version, self.join, partial=partial)


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_room_is_taken_as_it_is(version: str):
    given = Given(version)
    received = await given.read()
    assert {pdu.key: pdu.event_id for pdu in received.state} == given.room.state
    assert not any(pdu.rejected for pdu in received.auth_chain)


async def test_the_order_of_events_does_not_matter():
    given = Given()
    received = await given.read(
        state=[pdu.raw for pdu in reversed(given.state)], auth_chain=[pdu.raw for pdu in reversed(given.chain)]
    )
    assert len(received.state) == len(given.state)


@pytest.mark.parametrize(
    "changes",
    [
        {"state": None},
        {"auth_chain": {}},
        {"state": []},
        {"state": [None, 5, "x", {}]},
    ],
)
async def test_what_is_no_room_is_refused(changes: dict[str, Any]):
    with pytest.raises(PeerNonsense):
        await Given().read(**changes)


async def test_a_room_without_its_create_event_is_refused():
    given = Given()
    given.state = [pdu for pdu in given.state if pdu.type != "m.room.create"]
    with pytest.raises(PeerNonsense):
        await given.read()


async def test_two_events_for_one_key_are_refused():
    given = Given()
    given.state.append(given.room.build("m.room.join_rules", {"join_rule": "public"}, state_key=""))
    with pytest.raises(PeerNonsense):
        await given.read()


async def test_state_that_is_no_state_is_refused():
    given = Given()
    given.state.append(given.room.build("m.room.message", {"body": "x"}))
    with pytest.raises(PeerNonsense):
        await given.read()


async def test_events_that_nobody_signed_are_left_out():
    given = Given()
    topic = given.room.build("m.room.topic", {"topic": "forged"}, state_key="")
    forged = {**topic.raw, "signatures": {"there": {KEY.key_id: "A" * 86}}}
    received = await given.read(state=[*(pdu.raw for pdu in given.state), forged])
    assert "m.room.topic" not in {pdu.type for pdu in received.state}


async def test_state_that_the_rules_refuse_is_no_state():
    given = Given()
    bob = "@bob:there"
    given.state.append(given.room.build("m.room.topic", {"topic": "by bob"}, sender=bob, state_key=""))
    received = await given.read()
    assert "m.room.topic" not in {pdu.type for pdu in received.state}
    assert [pdu.type for pdu in received.auth_chain if pdu.rejected] == ["m.room.topic"]


async def test_what_hangs_on_a_refused_event_is_refused():
    given = Given()
    levels = {"users": {"@creator:there": 100, "@bob:there": 100}}
    grab = given.room.build("m.room.power_levels", levels, sender="@bob:there", state_key="")
    given.room.events[grab.event_id] = grab
    named = [grab.event_id, given.room.state["m.room.create", ""], given.room.state["m.room.member", "@bob:there"]]
    topic = given.room.build("m.room.topic", {"topic": "mine"}, sender="@bob:there", state_key="", auth_events=named)
    given.state.append(topic)
    given.chain.append(grab)
    received = await given.read()
    assert "m.room.topic" not in {pdu.type for pdu in received.state}
    assert {pdu.type for pdu in received.auth_chain if pdu.rejected} == {"m.room.topic", "m.room.power_levels"}


async def test_a_room_whose_rules_do_not_let_us_in_is_refused():
    given = Given()
    rules = given.room.add("m.room.join_rules", {"join_rule": "invite"}, state_key="")
    given.state = [pdu for pdu in given.state if pdu.type != "m.room.join_rules"] + [rules]
    with pytest.raises(PeerNonsense):
        await given.read()


async def test_the_room_has_the_version_that_was_said():
    given = Given("10")
    given.room.version = ROOM_VERSIONS["9"]
    with pytest.raises(PeerNonsense):
        await given.read()


class TestWithoutMembers:
    async def test_who_joins_is_let_in_by_what_the_join_names(self):
        given = Given()
        given.state = [pdu for pdu in given.state if pdu.type != "m.room.member"]
        received = await given.read(partial=True)
        assert {pdu.type for pdu in received.state}.isdisjoint({"m.room.member"})

    async def test_who_is_banned_is_not(self):
        given = Given()
        ban = given.room.add("m.room.member", {"membership": "ban"}, state_key="@alice:there")
        given.join = given.room.build(
            "m.room.member", {"membership": "join"}, sender="@alice:there", state_key="@alice:there"
        )
        given.state = [pdu for pdu in given.state if pdu.type != "m.room.member"]
        given.chain.append(ban)
        with pytest.raises(PeerNonsense):
            await given.read(partial=True)


async def test_a_long_line_of_auth_events_takes_no_recursion():
    given = Given()
    bob = "@bob:there"
    for count in range(1500):
        content = {"membership": "join", "displayname": f"Bob {count}"}
        given.room.add("m.room.member", content, sender=bob, state_key=bob)
    given.state = [given.room.events[event_id] for event_id in given.room.state.values()]
    given.chain = given.room.auth_chain(given.room.state.values())
    received = await given.read()
    assert not any(pdu.rejected for pdu in received.auth_chain)
    assert len(received.auth_chain) >= 1500
