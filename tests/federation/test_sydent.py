"""Addresses and invites with Sydent, the reference identity server: it checks our signatures, and we check its."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from federation.authority import Authority
from federation.handing_in import segment
from federation.member import Member
from federation.servers import MyelinServer
from federation.sydent import Sydent, sydent
from mail_server import MailServer, mail_server, text_of

pytestmark = [pytest.mark.peers, pytest.mark.slow]

ADDRESS = "bob@example.org"
BY_MAIL = {"medium": "email", "address": ADDRESS}


class House:
    """A homeserver, an identity server, and the mail that comes of both."""

    def __init__(
        self, server: MyelinServer, identity: Sydent, mail: MailServer, session: aiohttp.ClientSession
    ) -> None:
        self.server = server
        self.identity = identity
        self.mail = mail
        self.session = session

    async def ask(self, path: str, body: Any, token: str = "") -> Any:
        """A request of a client to the identity server."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with self.session.post(f"{self.identity.url}{path}", json=body, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def token(self, member: Member) -> str:
        """The user's access token there, for a token of ours that says who they are."""
        ours = await member.post(f"user/{segment(member.user_id)}/openid/request_token", {})
        return (await self.ask("/account/register", ours))["token"]

    async def prove(self, token: str) -> dict[str, str]:
        """Prove the address to the identity server, by the mail that it sends."""
        secret = "s3cret"
        sent = len(self.mail.mails)
        body = {"email": ADDRESS, "client_secret": secret, "send_attempt": 1}
        sid = str((await self.ask("/validate/email/requestToken", body, token))["sid"])
        code = re.search(r"token (\S+)", text_of(await self.mail.next(sent + 1)))
        assert code is not None
        await self.ask("/validate/email/submitToken", {"sid": sid, "client_secret": secret, "token": code[1]}, token)
        return {"sid": sid, "client_secret": secret}


@pytest.fixture
async def house(tmp_path: Path, authority: Authority, session: aiohttp.ClientSession) -> AsyncIterator[House]:
    async with mail_server() as mail, sydent(tmp_path / "sydent", authority, mail.port) as identity:
        settings = [f"identity.extra_ca={authority.certificate}", "identity.deny_private_addresses=false"]
        server = MyelinServer(tmp_path / "myelin", authority, settings=settings)
        await server.start()
        try:
            yield House(server, identity, mail, session)
        finally:
            await server.stop()


async def test_an_invite_waits_until_the_address_is_somebodys(house: House) -> None:
    alice, bob = await house.server.register(house.session, "alice"), await house.server.register(house.session, "bob")
    by_alice = {**BY_MAIL, "id_server": house.identity.name, "id_access_token": await house.token(alice)}
    token = await house.token(bob)

    # Nobody has the address: the invite waits at the identity server, which sends a mail.
    room = await alice.create_room("11", preset="private_chat", name="Tea")
    await alice.post(f"rooms/{segment(room)}/invite", by_alice)
    assert "into Tea" in text_of(await house.mail.next())
    state = await alice.get(f"rooms/{segment(room)}/state")
    (waiting,) = [event for event in state if event["type"] == "m.room.third_party_invite"]
    assert ADDRESS not in str(waiting)
    assert len(waiting["content"]["public_keys"]) == 2

    # Bob publishes the address, and is invited by what the identity server signed.
    proof = await house.prove(token)
    await bob.post("account/3pid/bind", {**proof, "id_server": house.identity.name, "id_access_token": token})
    await bob.until(lambda: room in bob.invites)
    member = await alice.get(f"rooms/{segment(room)}/state/m.room.member/{segment(bob.user_id)}")
    assert member["third_party_invite"]["signed"]["mxid"] == bob.user_id
    await bob.post(f"join/{segment(room)}", {})

    # Now it is found by its hash, and the user invited at once.
    other = await alice.create_room("11", preset="private_chat")
    await alice.post(f"rooms/{segment(other)}/invite", by_alice)
    await bob.until(lambda: other in bob.invites)

    # It is taken back by a request that our server signs, and is nobody's any more.
    assert await bob.post("account/3pid/unbind", BY_MAIL) == {"id_server_unbind_result": "success"}
    third = await alice.create_room("11", preset="private_chat")
    await alice.post(f"rooms/{segment(third)}/invite", by_alice)
    state = await alice.get(f"rooms/{segment(third)}/state")
    assert [event["state_key"] for event in state if event["type"] == "m.room.third_party_invite"]
