"""The list of public rooms is one list, whichever process is asked."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from inprocess import Client, TestServer, make_config, running_server
from myelin.bus.news import RoomForgotten
from myelin.config.sections.rate_limits import Bucket, RateLimits


async def rooms(client: Client) -> list[tuple[str, int]]:
    chunk = (await client.get("publicRooms"))["chunk"]
    return [(room["room_id"], room["num_joined_members"]) for room in chunk]


async def caught_up(server: TestServer, other: TestServer) -> None:
    server.app.ground.feed.seen(other.app.ground.feed.position)
    await server.app.ground.feed.caught_up()


def elsewhere(client: Client, server: TestServer) -> Client:
    return Client(server.session, server.base, client.token, client.user_id, client.device_id)


@pytest.mark.postgres
async def test_what_one_process_publishes_another_one_lists(tmp_path: Path, postgres_url: str) -> None:
    config = make_config(tmp_path, postgres_url)
    async with running_server(config) as one, running_server(config) as two:
        alice = await one.register("alice")
        there = elsewhere(alice, two)
        first = await alice.create_room(visibility="public")
        await caught_up(two, one)
        assert await rooms(there) == [(first, 1)]
        second = await alice.create_room(visibility="public")
        bob = await one.register("bob")
        await bob.post(f"join/{second}")
        await caught_up(two, one)
        assert await rooms(there) == [(second, 2), (first, 1)]
        await alice.put(f"directory/list/room/{second}", {"visibility": "private"})
        await caught_up(two, one)
        assert await rooms(there) == [(first, 1)]


@pytest.mark.postgres
async def test_what_is_forgotten_through_one_process_is_told_by_another(tmp_path: Path, postgres_url: str) -> None:
    config = make_config(tmp_path, postgres_url)
    async with running_server(config) as one, running_server(config) as two:
        heard: list[RoomForgotten] = []
        two.app.ground.feed.subscribe(RoomForgotten, lambda _, news: heard.append(news))
        alice = await one.register("alice")
        room_id = await alice.create_room()
        await alice.post(f"rooms/{room_id}/leave")
        await alice.post(f"rooms/{room_id}/forget")
        await caught_up(two, one)
        assert heard == [RoomForgotten(alice.user_id, room_id)]


async def test_the_list_is_right_while_rooms_change_under_it(tmp_path: Path) -> None:
    async with running_server(make_config(tmp_path)) as server:
        users = [await server.register(f"u{n}") for n in range(4)]
        made = await asyncio.gather(*(u.create_room(visibility="public") for u in users for _ in range(3)))

        async def join_all(user: Client) -> None:
            for room_id in made:
                await user.post(f"join/{room_id}")

        await asyncio.gather(*(join_all(user) for user in users), *(rooms(users[0]) for _ in range(10)))
        assert await rooms(users[0]) == [(room_id, 4) for room_id in sorted(made)]


async def test_a_user_cannot_be_drowned_in_invites(tmp_path: Path) -> None:
    limits: Any = RateLimits(invites_per_user=Bucket(per_second=0.001, burst=2))
    async with running_server(make_config(tmp_path, rate_limits=limits)) as server:
        alice = await server.register("alice")
        await alice.create_room(invite=["@bob:hs1"])
        room_id = await alice.create_room(invite=["@bob:hs1"])
        (await alice("POST", "createRoom", {"invite": ["@bob:hs1"]})).error(429, "M_LIMIT_EXCEEDED")
        third = await alice.create_room()
        body = {"user_id": "@bob:hs1"}
        (await alice("POST", f"rooms/{third}/invite", body)).error(429, "M_LIMIT_EXCEEDED")
        assert room_id in (await alice.get("joined_rooms"))["joined_rooms"]
