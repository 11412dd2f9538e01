"""What the server tells users, in one room for each that they cannot turn down (spec: "Server Notices")."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from inprocess import Client, TestServer, make_config, running_server
from myelin.config.sections.messaging import Notices
from myelin.matrix.errors import MatrixError, NotFound
from myelin.services.notices.server_notices import ServerNotices


@pytest.fixture
async def server(server_on_each: TestServer) -> AsyncIterator[TestServer]:
    return server_on_each


def notices(server: TestServer) -> ServerNotices:
    return server.app.services[ServerNotices]


async def invites(client: Client) -> dict[str, Any]:
    return (await client.get("sync")).get("rooms", {}).get("invite", {})


async def test_the_first_notice_invites_and_the_next_go_to_the_same_room(server: TestServer) -> None:
    bob = await server.register("bob")
    first = await notices(server).tell(bob.user_id, "Welcome")
    ((room_id, invite),) = (await invites(bob)).items()
    senders = {event["sender"] for event in invite["invite_state"]["events"]}
    assert senders == {"@server:hs1"}
    assert await bob.get(f"user/{bob.user_id}/rooms/{room_id}/tags") == {"tags": {"m.server_notice": {}}}
    await bob.post(f"join/{room_id}")
    await notices(server).tell(bob.user_id, "Full", server_notice_type="m.server_notice.usage_limit_reached")
    chunk = (await bob.get(f"rooms/{room_id}/messages", dir="b"))["chunk"]
    said = [event for event in chunk if event["type"] == "m.room.message"]
    assert [event["content"]["body"] for event in said] == ["Full", "Welcome"]
    assert said[0]["content"]["msgtype"] == "m.server_notice"
    assert said[1]["event_id"] == first
    (await bob("PUT", f"rooms/{room_id}/send/m.room.message/1", {"body": "hi"})).error(403, "M_FORBIDDEN")


async def test_the_invite_cannot_be_rejected_but_the_room_left(server: TestServer) -> None:
    bob = await server.register("bob")
    await notices(server).tell(bob.user_id, "Welcome")
    (room_id,) = await invites(bob)
    refused = (403, "M_CANNOT_LEAVE_SERVER_NOTICE_ROOM")
    (await bob("POST", f"rooms/{room_id}/leave", {})).error(*refused)
    path = f"rooms/{room_id}/state/m.room.member/{bob.user_id}"
    (await bob("PUT", path, {"membership": "leave"})).error(*refused)
    await bob.post(f"join/{room_id}")
    await bob.post(f"rooms/{room_id}/leave")
    assert await invites(bob) == {}
    await notices(server).tell(bob.user_id, "Once more")
    assert list(await invites(bob)) == [room_id]


async def test_other_invites_can_be_rejected(server: TestServer) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    await notices(server).tell(bob.user_id, "Welcome")
    room_id = await alice.create_room(invite=[bob.user_id])
    await bob.post(f"rooms/{room_id}/leave")
    assert room_id not in await invites(bob)


async def test_many_at_once_make_one_room_and_a_transaction_one_event(server: TestServer) -> None:
    bob = await server.register("bob")
    content = {"msgtype": "m.server_notice", "body": "x"}
    sent = await asyncio.gather(*(notices(server).send(bob.user_id, content, txn_id="same") for _ in range(4)))
    assert len(set(sent)) == 1
    assert len(await invites(bob)) == 1


async def test_who_blocks_invites_gets_notices_still(server: TestServer) -> None:
    bob = await server.register("bob")
    await bob.put(f"user/{bob.user_id}/account_data/m.invite_permission_config", {"default_action": "block"})
    await notices(server).tell(bob.user_id, "Welcome")
    assert len(await invites(bob)) == 1


async def test_who_is_not_here_is_told_nothing(server: TestServer) -> None:
    with pytest.raises(NotFound):
        await notices(server).tell("@nobody:hs1", "x")
    with pytest.raises(NotFound):
        await notices(server).tell("@bob:elsewhere", "x")


async def test_an_account_with_an_invite_can_be_closed(server: TestServer) -> None:
    bob = await server.register("bob")
    await notices(server).tell(bob.user_id, "Welcome")
    body = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": "bob"}, "password": "correct horse"}
    session = (await bob("POST", "account/deactivate", {})).json["session"]
    await bob.post("account/deactivate", {"auth": {**body, "session": session}})
    with pytest.raises(NotFound):
        await notices(server).tell(bob.user_id, "x")


async def test_notices_can_be_switched_off_and_named(tmp_path: Path) -> None:
    async with running_server(make_config(tmp_path, notices=Notices(enabled=False))) as server:
        bob = await server.register("bob")
        with pytest.raises(MatrixError, match="sends no notices"):
            await notices(server).tell(bob.user_id, "x")
    async with running_server(make_config(tmp_path, notices=Notices(localpart="news", room_name="News"))) as server:
        bob = await server.login("bob")
        await notices(server).tell(bob.user_id, "x")
        ((_, invite),) = (await invites(bob)).items()
        named = [e["content"]["name"] for e in invite["invite_state"]["events"] if e["type"] == "m.room.name"]
        assert named == ["News"]
