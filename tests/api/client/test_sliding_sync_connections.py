"""Connections of sliding sync: answers that are lost, positions that expire, servers that start anew."""

import asyncio
from pathlib import Path

from inprocess import Client, TestServer, make_config, running_server
from myelin.services.sliding_sync.connections import Connections
from myelin.services.sync.waiting import Waiting
from polling import DEADLINE_S, until
from sliding import Sliding, a_list, bodies

LISTS = {"all": a_list([0, 0], limit=1)}


async def test_a_lost_answer_is_given_again(server: TestServer) -> None:
    alice = await server.register("alice")
    first, second = await alice.create_room(), await alice.create_room()
    sync = Sliding(alice, lists=LISTS)
    assert set((await sync())["rooms"]) == {second}
    before = sync.pos
    await alice.send(first, "up")
    answer = await sync()
    assert answer["rooms"][first]["initial"] is True
    lost, sync.pos = sync.pos, before
    again = await sync()
    assert again["rooms"][first]["initial"] is True
    assert (await sync())["rooms"] == {}
    (await alice("POST", Sliding.path, sync.body, pos=lost)).error(400, "M_UNKNOWN_POS")


async def test_a_lost_answer_is_forgotten_also_after_a_restart(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    async with running_server(config) as server:
        alice = await server.register("alice")
        rooms = [await alice.create_room() for _ in range(3)]
        sync = Sliding(alice, lists=LISTS)
        await sync()
        before = sync.pos
        await alice.send(rooms[0], "lost")
        await sync()
        sync.pos = before
        await alice.send(rooms[1], "told")
        assert set((await sync())["rooms"]) == {rooms[1]}
    async with running_server(config) as server:
        alice = Client(server.session, server.base, alice.token, alice.user_id, alice.device_id)
        sync.client = alice
        assert (await sync())["rooms"] == {}
        await alice.put(f"rooms/{rooms[0]}/state/m.room.topic", {"topic": "now"})
        told = (await sync())["rooms"]
        assert set(told) == {rooms[0]}
        assert told[rooms[0]]["initial"] is True


async def test_a_connection_survives_a_restart(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    wanted = a_list(required=[["m.room.name", ""], ["m.room.member", "$ME"]], not_room_types=["m.space"])
    async with running_server(config) as server:
        alice = await server.register("alice")
        room_id, other = await alice.create_room(name="N"), await alice.create_room()
        sync = Sliding(alice, lists={"all": wanted}, extensions={"account_data": {"enabled": True}})
        assert set((await sync())["rooms"]) == {room_id, other}
        await alice.send(room_id, "before")
    async with running_server(config) as server:
        alice = Client(server.session, server.base, alice.token, alice.user_id, alice.device_id)
        sync.client = alice
        room = (await sync())["rooms"]
        assert set(room) == {room_id}
        assert bodies(room[room_id]) == ["before"]
        assert "initial" not in room[room_id]
        answer = await sync()
        assert (answer["rooms"], answer["extensions"]) == ({}, {})


async def test_positions_that_are_not_of_this_connection(server: TestServer) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    again = await server.login("alice")
    sync = Sliding(alice, lists=LISTS)
    await sync()
    old = sync.pos
    for client in (bob, again):
        (await client("POST", Sliding.path, sync.body, pos=old)).error(400, "M_UNKNOWN_POS")
    (await alice("POST", Sliding.path, {"conn_id": "other"}, pos=old)).error(400, "M_UNKNOWN_POS")
    for text in ("s1_2_0", "x", "s1_2_0~3.9", "%C3%A9", old[:-1] + "7"):
        (await alice("POST", f"{Sliding.path}?pos={text}", sync.body)).error(400, "M_UNKNOWN_POS")
    await sync()
    sync.pos = ""
    await sync()
    (await alice("POST", Sliding.path, sync.body, pos=old)).error(400, "M_UNKNOWN_POS")


async def test_the_oldest_of_too_many_connections_expires(server: TestServer) -> None:
    alice = await server.register("alice")
    loops = [Sliding(alice, f"c{n}") for n in range(11)]
    for loop in loops:
        await loop()
    for loop in loops:
        server.app.services[Connections].forget((alice.user_id, alice.device_id, loop.body["conn_id"]))
    answers = [(await alice("POST", Sliding.path, loop.body, pos=loop.pos)).status for loop in loops]
    assert sorted(answers) == [200] * 10 + [400]


async def test_a_newer_request_takes_the_place_of_one_that_waits(server: TestServer) -> None:
    alice = await server.register("alice")
    room_id = await alice.create_room()
    sync = Sliding(alice, lists=LISTS)
    await sync()
    old = asyncio.create_task(alice.post(Sliding.path, sync.body, pos=sync.pos, timeout=20_000))
    polls = server.app.services[Waiting]._polls
    await until(lambda: len(polls.get(alice.user_id, ())) == 1)
    new = asyncio.create_task(sync(timeout_ms=20_000))
    await until(lambda: len(polls.get(alice.user_id, ())) == 2)
    await alice.send(room_id, "for the newer")
    assert bodies((await asyncio.wait_for(new, DEADLINE_S))["rooms"][room_id]) == ["for the newer"]
    assert (await asyncio.wait_for(old, DEADLINE_S))["rooms"] == {}
    assert (await sync())["rooms"] == {}
