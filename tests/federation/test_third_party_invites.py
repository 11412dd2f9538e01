"""Who was invited by an address is invited as a user once the address is theirs, and nobody else is."""

from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web

from federation.handing_in import segment
from federation.member import Member
from federation.resident import Resident
from federation.servers import MyelinServer
from myelin.matrix.signing import SigningKey, sign_json

pytestmark = [pytest.mark.peers]

IDENTITY = "id.example.org"
KEY = SigningKey.from_seed("0", b"i" * 32)
OTHER_KEY = SigningKey.from_seed("0", b"o" * 32)
TOKEN = "a-token"
MEMBER = "m.room.member"


@pytest.fixture
async def alice(myelin_server: MyelinServer, session: aiohttp.ClientSession) -> Member:
    return await myelin_server.register(session, "alice")


def signed_for(user_id: str, key: SigningKey = KEY, token: str = TOKEN) -> dict[str, Any]:
    """What an identity server says when an address is bound to a user."""
    return sign_json({"mxid": user_id, "token": token}, IDENTITY, key)


async def room_with_invite(alice: Member) -> str:
    """A room into which alice has invited an address."""
    room = await alice.create_room("11", preset="private_chat")
    public_key = KEY.verify_key.to_base64()
    content = {
        "display_name": "b...@example.org",
        "public_key": public_key,
        "public_keys": [{"public_key": public_key}],
    }
    await alice.put(f"rooms/{segment(room)}/state/m.room.third_party_invite/{TOKEN}", content)
    return room


def exchange(room_id: str, sender: str, user_id: str, **changes: Any) -> dict[str, Any]:
    """The body of an exchange."""
    return {
        "type": MEMBER,
        "room_id": room_id,
        "sender": sender,
        "state_key": user_id,
        "content": {
            "membership": "invite",
            "third_party_invite": {"display_name": "mallory", "signed": signed_for(user_id)},
        },
        **changes,
    }


async def hand_in(resident: Resident, server: MyelinServer, room_id: str, body: Any) -> Any:
    """The answer to an exchange."""
    return await resident.request(server, "PUT", f"v1/exchange_third_party_invite/{segment(room_id)}", body)


async def membership(alice: Member, room_id: str, user_id: str) -> Any:
    status, data, _ = await alice.raw("GET", f"rooms/{segment(room_id)}/state/{MEMBER}/{segment(user_id)}")
    return orjson.loads(data) if status == 200 else None


async def test_a_user_of_another_server_is_invited(
    alice: Member, resident: Resident, myelin_server: MyelinServer
) -> None:
    room, bob = await room_with_invite(alice), resident.user("bob")
    answer = await hand_in(resident, myelin_server, room, exchange(room, alice.user_id, bob))
    assert (answer.status, answer.json) == (200, {})
    invite = await membership(alice, room, bob)
    assert invite["membership"] == "invite"
    assert invite["third_party_invite"]["display_name"] == "b...@example.org"
    assert [body["event"]["state_key"] for body in resident.invites] == [bob]


class TestMembershipEndpointsUsedToObtainASignature:
    """Nobody is invited in alice's name whom the identity server did not name."""

    @pytest.mark.parametrize(
        "forged",
        [
            {"signed": "OTHER KEY"},
            {"signed": "OTHER USER"},
            {"signed": "OTHER TOKEN"},
            {"signed": {}},
            {"signed": None},
            {},
            5,
        ],
    )
    async def test_what_the_identity_server_did_not_sign(
        self, alice: Member, resident: Resident, myelin_server: MyelinServer, forged: Any
    ) -> None:
        room, bob = await room_with_invite(alice), resident.user("bob")
        made = {
            "OTHER KEY": signed_for(bob, OTHER_KEY),
            "OTHER USER": signed_for(resident.user("carol")),
            "OTHER TOKEN": signed_for(bob, token="another"),
        }
        if isinstance(forged, dict) and isinstance(forged.get("signed"), str):
            forged = {"signed": made[forged["signed"]]}
        body = exchange(room, alice.user_id, bob, content={"membership": "invite", "third_party_invite": forged})
        answer = await hand_in(resident, myelin_server, room, body)
        assert answer.status in (400, 403), answer.data
        assert await membership(alice, room, bob) is None
        assert resident.invites == []

    @pytest.mark.parametrize(
        "changes",
        [
            {"type": "m.room.power_levels"},
            {"room_id": "!other:room.example"},
            {"content": {"membership": "join"}},
            {"content": None},
            {"sender": 5},
            {"state_key": None},
        ],
    )
    async def test_what_is_no_invite(
        self, alice: Member, resident: Resident, myelin_server: MyelinServer, changes: dict[str, Any]
    ) -> None:
        room, bob = await room_with_invite(alice), resident.user("bob")
        body = {**exchange(room, alice.user_id, bob), **changes}
        assert (await hand_in(resident, myelin_server, room, body)).status == 400
        assert await membership(alice, room, bob) is None

    async def test_somebody_elses_users_and_rooms(
        self, alice: Member, resident: Resident, myelin_server: MyelinServer
    ) -> None:
        room, bob = await room_with_invite(alice), resident.user("bob")
        foreign = exchange(room, alice.user_id, "@bob:elsewhere.example")
        assert (await hand_in(resident, myelin_server, room, foreign)).status == 403
        by_other = exchange(room, resident.user("creator"), bob)
        assert (await hand_in(resident, myelin_server, room, by_other)).status == 404
        nowhere = exchange("!no:where.example", alice.user_id, bob)
        assert (await hand_in(resident, myelin_server, "!no:where.example", nowhere)).status == 404


class TestAnAddressIsBound:
    async def bind(self, server: MyelinServer, session: aiohttp.ClientSession, body: Any) -> int:
        """Tell the server, as an identity server does; the status."""
        url = f"{server.url}/_matrix/federation/v1/3pid/onbind"
        async with session.put(url, json=body) as response:
            return response.status

    def body(self, user_id: str, *invites: dict[str, Any]) -> dict[str, Any]:
        return {"medium": "email", "address": "bob@example.org", "mxid": user_id, "invites": list(invites)}

    def waiting(self, room_id: str, sender: str, user_id: str, key: SigningKey = KEY) -> dict[str, Any]:
        return {
            "medium": "email",
            "address": "bob@example.org",
            "mxid": user_id,
            "room_id": room_id,
            "sender": sender,
            "signed": signed_for(user_id, key),
        }

    async def test_our_user_is_invited_into_our_room(
        self, alice: Member, myelin_server: MyelinServer, session: aiohttp.ClientSession
    ) -> None:
        room = await room_with_invite(alice)
        bob = await myelin_server.register(session, "bob")
        body = self.body(bob.user_id, self.waiting(room, alice.user_id, bob.user_id))
        assert await self.bind(myelin_server, session, body) == 200
        await bob.until(lambda: room in bob.invites)

    async def test_what_is_forged_invites_nobody(
        self, alice: Member, myelin_server: MyelinServer, session: aiohttp.ClientSession
    ) -> None:
        room = await room_with_invite(alice)
        bob = await myelin_server.register(session, "bob")
        forged = self.waiting(room, alice.user_id, bob.user_id, OTHER_KEY)
        assert await self.bind(myelin_server, session, self.body(bob.user_id, forged)) == 403
        assert await membership(alice, room, bob.user_id) is None
        body = self.body(f"@nobody:{myelin_server.server_name}", forged)
        assert await self.bind(myelin_server, session, body) == 404
        assert await self.bind(myelin_server, session, {"mxid": bob.user_id}) == 400

    async def test_the_inviters_server_is_asked_for_a_room_elsewhere(
        self, resident: Resident, myelin_server: MyelinServer, session: aiohttp.ClientSession
    ) -> None:
        bob = await myelin_server.register(session, "bob")
        handed: list[Any] = []

        async def take(request: web.Request) -> web.StreamResponse:
            handed.append(orjson.loads(await request.read()))
            return web.json_response({})

        resident.answers["federation/v1/exchange_third_party_invite/"] = take
        sender = resident.user("creator")
        body = self.body(bob.user_id, self.waiting("!there:else.example", sender, bob.user_id))
        assert await self.bind(myelin_server, session, body) == 200
        assert [(one["sender"], one["state_key"], one["room_id"]) for one in handed] == [
            (sender, bob.user_id, "!there:else.example")
        ]
        assert handed[0]["content"]["third_party_invite"]["signed"] == signed_for(bob.user_id)
