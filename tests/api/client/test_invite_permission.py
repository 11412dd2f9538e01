"""Invites that are refused, and invites that their user never hears of (MSC4155, MSC4380)."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from inprocess import Client, TestServer, make_config, running_server
from myelin.config.sections.messaging import Push
from push_gateway import Gateway, push_gateway, set_pusher
from sliding import Sliding, a_list

UNSTABLE = "org.matrix.msc4155.invite_permission_config"
STABLE = "m.invite_permission_config"


async def allow(client: Client, content: Any, name: str = UNSTABLE) -> None:
    await client.put(f"user/{client.user_id}/account_data/{name}", content)


async def invited(client: Client) -> list[str]:
    return list((await client.get("sync")).get("rooms", {}).get("invite", {}))


@pytest.mark.parametrize("name", [STABLE, UNSTABLE])
async def test_who_is_blocked_is_told_so(server_on_each: TestServer, name: str) -> None:
    alice, bob = await server_on_each.register("alice"), await server_on_each.register("bob")
    carol = await server_on_each.register("carol")
    await allow(bob, {"blocked_users": ["@a*"]}, name)
    (await alice("POST", "createRoom", {"invite": [bob.user_id]})).error(403, "M_INVITE_BLOCKED")
    room_id = await alice.create_room()
    (await alice("POST", f"rooms/{room_id}/invite", {"user_id": bob.user_id})).error(403, "M_INVITE_BLOCKED")
    path = f"rooms/{room_id}/state/m.room.member/{bob.user_id}"
    (await alice("PUT", path, {"membership": "invite"})).error(403, "M_INVITE_BLOCKED")
    hers = await carol.create_room(invite=[bob.user_id])
    assert await invited(bob) == [hers]


async def test_who_is_ignored_notices_nothing(server_on_each: TestServer) -> None:
    alice, bob = await server_on_each.register("alice"), await server_on_each.register("bob")
    await allow(bob, {"ignored_servers": ["hs1"]})
    since = (await bob.get("sync"))["next_batch"]
    sliding = Sliding(bob, lists={"all": a_list()})
    await sliding()
    room_id = await alice.create_room(invite=[bob.user_id])
    member = await alice.get(f"rooms/{room_id}/state/m.room.member/{bob.user_id}")
    assert member["membership"] == "invite"
    assert "invite" not in (await bob.get("sync", since=since)).get("rooms", {})
    assert await invited(bob) == []
    assert (await sliding())["rooms"] == {}
    await allow(bob, {})
    assert await invited(bob) == [room_id]
    assert room_id in (await Sliding(bob, lists={"all": a_list()})())["rooms"]


async def test_pending_invites_hide_once_all_are_blocked(server: TestServer) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    room_id = await alice.create_room(invite=[bob.user_id])
    assert await invited(bob) == [room_id]
    await allow(bob, {"default_action": "block"}, STABLE)
    assert await invited(bob) == []
    await allow(bob, {}, STABLE)
    assert await invited(bob) == [room_id]


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with push_gateway() as running:
        yield running


async def test_phones_do_not_ring_for_ignored_invites(tmp_path: Path, gateway: Gateway) -> None:
    config = make_config(tmp_path, push=Push(deny_private_addresses=False))
    async with running_server(config) as server:
        alice, bob = await server.register("alice"), await server.register("bob")
        await set_pusher(bob, gateway)
        await allow(bob, {"ignored_users": [alice.user_id]})
        await alice.create_room(invite=[bob.user_id])
        carol = await server.register("carol")
        wanted = await carol.create_room(invite=[bob.user_id])
        first = await gateway.next()
        assert first["room_id"] == wanted
