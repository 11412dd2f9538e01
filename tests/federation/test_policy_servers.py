"""A scripted policy server recommends what is sent to a room, or does not."""

from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web

from federation.conftest import Side
from federation.member import Member, Refused, eventually
from federation.resident import Resident
from federation.scripted_room import ScriptedRoom
from federation.servers import MyelinServer
from myelin.matrix.events.hashes import redacted_bytes
from myelin.matrix.policy_server import KEY_ID
from myelin.matrix.room_versions import ROOM_VERSIONS
from myelin.matrix.signing import SigningKey

pytestmark = [pytest.mark.peers]

VERSION = "11"
SPAM = "buy this"


class PolicyServer:
    """Signs all but spam, with the key that the room names."""

    def __init__(self, resident: Resident) -> None:
        self.resident = resident
        self.key = SigningKey.from_seed("policy_server", b"\7" * 32)
        self.asked: list[dict[str, Any]] = []
        self.answer: Any = None
        resident.answers["policy/v1/sign"] = self._sign

    @property
    def content(self) -> dict[str, Any]:
        """What the room says of it."""
        return {
            "via": self.resident.server_name,
            "public_keys": {"ed25519": self.key.verify_key.to_base64()},
        }

    async def _sign(self, request: web.Request) -> web.StreamResponse:
        pdu = orjson.loads(await request.read())
        self.asked.append(pdu)
        if self.answer is not None:
            return web.json_response(self.answer)
        if pdu["content"].get("body") == SPAM:
            return web.json_response({"errcode": "M_FORBIDDEN", "error": "This looks like spam"}, status=400)
        return web.json_response(self.signature(pdu))

    def signature(self, pdu: dict[str, Any]) -> dict[str, Any]:
        """Its signature on an event."""
        signed = self.key.sign(redacted_bytes(pdu, ROOM_VERSIONS[VERSION]))
        return {self.resident.server_name: {KEY_ID: signed}}


@pytest.fixture
async def alice(myelin_server: MyelinServer, session: aiohttp.ClientSession) -> Member:
    """A user of the server that asks the policy server."""
    return await Side(myelin_server, session).user("alice")


@pytest.fixture
async def policy(resident: Resident) -> PolicyServer:
    """The policy server."""
    return PolicyServer(resident)


@pytest.fixture
async def room(myelin_server: MyelinServer, alice: Member, policy: PolicyServer) -> ScriptedRoom:
    """A room of the policy server's that alice has joined, and that uses it."""
    made = policy.resident.room(VERSION)
    await alice.join(made.room_id, policy.resident.server_name)
    await alice.is_joined(made.room_id)
    event = made.add("m.room.policy", policy.content, state_key="")
    await policy.resident.send(myelin_server, [event.raw])
    await alice.state_becomes(made.room_id, "m.room.policy", lambda content: "via" in content)
    return made


async def test_what_is_recommended_is_sent_with_the_signature(
    alice: Member, room: ScriptedRoom, policy: PolicyServer
) -> None:
    event_id = await alice.send(room.room_id, "hello")
    await alice.receives(room.room_id, event_id)
    assert [pdu["content"]["body"] for pdu in policy.asked] == ["hello"]
    sent = await _sent(event_id, room)
    assert KEY_ID in sent["signatures"][policy.resident.server_name]
    assert alice.server_name in sent["signatures"]


async def test_what_is_refused_is_not_sent_and_the_reason_is_told(
    alice: Member, room: ScriptedRoom, policy: PolicyServer
) -> None:
    with pytest.raises(Refused) as refused:
        await alice.send(room.room_id, SPAM)
    assert (refused.value.status, refused.value.errcode) == (403, "M_FORBIDDEN")
    assert "This looks like spam" in str(refused.value)
    after = await alice.send(room.room_id, "something else")
    await alice.receives(room.room_id, after)
    assert SPAM not in {event["content"].get("body") for event in await alice.messages(room.room_id)}


@pytest.mark.parametrize("answer", [{}, [], {"elsewhere": {KEY_ID: "A" * 86}}, "forged"])
async def test_nothing_is_sent_without_a_valid_signature(
    alice: Member, room: ScriptedRoom, policy: PolicyServer, answer: Any
) -> None:
    forged = {policy.resident.server_name: {KEY_ID: "A" * 86}}
    policy.answer = forged if answer == "forged" else answer
    with pytest.raises(Refused) as refused:
        await alice.send(room.room_id, "hello")
    assert refused.value.status == 502
    policy.answer = None
    await alice.receives(room.room_id, await alice.send(room.room_id, "hello again"))


async def test_received_events_without_recommendation_are_soft_failed(
    myelin_server: MyelinServer, alice: Member, room: ScriptedRoom, policy: PolicyServer
) -> None:
    spam = room.message(SPAM)
    await policy.resident.send(myelin_server, [spam.raw])
    good = room.message("fine")
    await policy.resident.send(myelin_server, [good.raw])
    await alice.receives(room.room_id, good.event_id)
    assert alice.seen(room.room_id, spam.event_id) is None
    with pytest.raises(Refused):
        await alice.event(room.room_id, spam.event_id)


async def test_received_events_that_are_signed_already_are_not_asked_about(
    myelin_server: MyelinServer, alice: Member, room: ScriptedRoom, policy: PolicyServer
) -> None:
    made = room.message("signed")
    own = policy.signature(made.raw)[policy.resident.server_name]
    signatures = {policy.resident.server_name: {**made.raw["signatures"][policy.resident.server_name], **own}}
    await policy.resident.send(myelin_server, [{**made.raw, "signatures": signatures}])
    await alice.receives(room.room_id, made.event_id)
    assert policy.asked == []


async def test_a_server_of_whom_nobody_is_in_the_room_has_no_say(alice: Member, policy: PolicyServer) -> None:
    room = await alice.create_room(VERSION)
    await alice.set_state(room, "m.room.policy", policy.content)
    await alice.receives(room, await alice.send(room, SPAM))
    assert policy.asked == []


async def test_the_policy_itself_can_always_be_changed(
    myelin_server: MyelinServer, alice: Member, room: ScriptedRoom, policy: PolicyServer
) -> None:
    policy.answer = {}
    gone = room.add("m.room.policy", {"off": True}, state_key="")
    await policy.resident.send(myelin_server, [gone.raw])
    await alice.state_becomes(room.room_id, "m.room.policy", lambda content: content.get("off"))
    await alice.receives(room.room_id, await alice.send(room.room_id, SPAM))


async def _sent(event_id: str, room: ScriptedRoom) -> dict[str, Any]:
    """The event as the other server was sent it."""

    async def came() -> bool:
        return event_id in room.events

    await eventually(came)
    return room.events[event_id].raw
