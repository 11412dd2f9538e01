"""A new name, or the end of an account, reaches all rooms of the user, even when the server stops meanwhile."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

import seen
from inprocess import Client, TestServer, make_config, running_server
from myelin.db.sql import Sql
from myelin.services.membership.everywhere import CHUNK
from myelin.store.room_tasks import RoomTaskStore
from polling import until

ROOMS = CHUNK + 5


async def make_rooms(user: Client, count: int) -> list[str]:
    return list(await asyncio.gather(*(user.create_room(preset="public_chat") for _ in range(count))))


async def names(server: TestServer, rooms: list[str], user: Client) -> set[Any]:
    found = [await seen.state(server, room_id, "m.room.member", user.user_id) for room_id in rooms]
    return {(content["membership"], content.get("displayname")) for content in found}


async def eventually(server: TestServer, rooms: list[str], user: Client, expected: set[Any]) -> None:
    async def are_changed() -> bool:
        return await names(server, rooms, user) == expected

    await until(are_changed)


async def eventually_no_task(server: TestServer) -> None:
    sql = Sql("SELECT COUNT(*) FROM room_tasks")

    async def is_none() -> bool:
        return not (await server.app.ground.database.fetch(sql, ()))[0][0]

    await until(is_none)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> str:
    return request.getfixturevalue("postgres_url") if request.param == "postgres" else ""


async def test_a_name_reaches_every_room(tmp_path: Path, database_url: str) -> None:
    async with running_server(make_config(tmp_path, database_url)) as server:
        alice, bob = await server.register("alice"), await server.register("bob")
        rooms = await make_rooms(alice, ROOMS)
        left, invited = (await make_rooms(bob, 1))[0], (await make_rooms(bob, 1))[0]
        await alice.post(f"join/{left}")
        await alice.post(f"rooms/{left}/leave")
        await bob.post(f"rooms/{invited}/invite", {"user_id": alice.user_id})
        await alice.put(f"profile/{alice.user_id}/displayname", {"displayname": "Alice"})
        await eventually(server, rooms, alice, {("join", "Alice")})
        assert await names(server, [left, invited], alice) == {("leave", None), ("invite", None)}
        (await alice("DELETE", f"profile/{alice.user_id}/displayname")).ok()
        await eventually(server, rooms, alice, {("join", None)})


async def test_few_rooms_are_changed_before_the_answer(tmp_path: Path) -> None:
    async with running_server(make_config(tmp_path)) as server:
        alice = await server.register("alice")
        rooms = await make_rooms(alice, 3)
        await alice.put(f"profile/{alice.user_id}/displayname", {"displayname": "Alice"})
        assert await names(server, rooms, alice) == {("join", "Alice")}
        before = {room_id: len(await seen.timeline(server, room_id)) for room_id in rooms}
        await alice.put(f"profile/{alice.user_id}/displayname", {"displayname": "Alice"})
        assert {room_id: len(await seen.timeline(server, room_id)) for room_id in rooms} == before


async def test_an_account_that_ends_leaves_everywhere(tmp_path: Path, database_url: str) -> None:
    async with running_server(make_config(tmp_path, database_url)) as server:
        alice, bob = await server.register("alice"), await server.register("bob")
        rooms = await make_rooms(alice, ROOMS)
        await bob.post(f"rooms/{(mine := (await make_rooms(bob, 1))[0])}/invite", {"user_id": alice.user_id})
        auth = {
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": "alice"},
            "password": "correct horse",
        }
        challenge = await alice("POST", "account/deactivate", {})
        await alice.post("account/deactivate", {"auth": {**auth, "session": challenge.json["session"]}})
        await eventually(server, [*rooms, mine], alice, {("leave", None)})


async def test_what_was_not_finished_is_taken_up_after_a_restart(tmp_path: Path, database_url: str) -> None:
    config = make_config(tmp_path, database_url)
    async with running_server(config) as server:
        alice = await server.register("alice")
        rooms = await make_rooms(alice, 2)
        await RoomTaskStore(server.app.ground.database).add(alice.user_id, "leave", 1)
    async with running_server(config) as server:
        await eventually(server, rooms, alice, {("leave", None)})
        await eventually_no_task(server)
