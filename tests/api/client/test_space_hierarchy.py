"""Spaces and summaries over HTTP."""

from typing import Any

import pytest

import seen
from inprocess import Client, TestServer

V1 = "/_matrix/client/v1"


async def space(user: Client, name: str, **body: Any) -> str:
    body = {"preset": "public_chat", "name": name, "creation_content": {"type": "m.space"}, **body}
    return await user.create_room(**body)


async def add(user: Client, parent: str, child: str, **content: Any) -> None:
    await user.put(f"rooms/{parent}/state/m.space.child/{child}", {"via": ["hs1"], **content})


async def walk(user: Client, room_id: str, **query: Any) -> list[str]:
    page = await user.get(f"{V1}/rooms/{room_id}/hierarchy", **query)
    return [room["name"] for room in page["rooms"]]


async def test_the_tree_comes_depth_first_in_the_order_of_the_children(server_on_each: TestServer) -> None:
    alice = await server_on_each.register("alice")
    root = await space(alice, "root")
    sub = await space(alice, "sub")
    rooms = {n: await alice.create_room(name=n) for n in ("late", "early", "a", "b", "deep")}
    await add(alice, root, rooms["early"])
    await add(alice, root, rooms["late"])
    await add(alice, root, rooms["b"], order="2")
    await add(alice, root, rooms["a"], order="1")
    await add(alice, root, sub, order="3", suggested=True)
    await add(alice, sub, rooms["deep"])
    await add(alice, sub, root)
    expected = ["root", "a", "b", "sub", "deep", "early", "late"]
    assert await walk(alice, root) == expected
    assert await walk(alice, root, max_depth=0) == ["root"]
    assert await walk(alice, root, max_depth=1) == ["root", "a", "b", "sub", "early", "late"]
    assert await walk(alice, root, suggested_only=True) == ["root", "sub"]
    page = await alice.get(f"{V1}/rooms/{root}/hierarchy", limit=1)
    children = page["rooms"][0]["children_state"]
    assert [child["state_key"] for child in children] == [rooms["a"], rooms["b"], sub, rooms["early"], rooms["late"]]
    assert set(children[0]) == {"type", "state_key", "content", "sender", "origin_server_ts"}


async def test_pages_of_a_tree(server: TestServer) -> None:
    alice = await server.register("alice")
    root = await space(alice, "root")
    for n in range(4):
        await add(alice, root, await alice.create_room(name=f"r{n}"), order=str(n))
    found, token = [], None
    while True:
        page = await alice.get(f"{V1}/rooms/{root}/hierarchy", limit=2, **({"from": token} if token else {}))
        found.append([room["name"] for room in page["rooms"]])
        token = page.get("next_batch")
        if token is None:
            break
        last = token
    assert found == [["root", "r0"], ["r1", "r2"], ["r3"]]
    for query in ({"max_depth": 1}, {"suggested_only": True}, {"from": "x"}, {"limit": 0}, {"max_depth": -1}):
        query = {"from": last, **query}
        (await alice("GET", f"{V1}/rooms/{root}/hierarchy", **query)).error(400, "M_INVALID_PARAM")


async def test_rooms_that_a_user_may_not_look_at_are_left_out(server: TestServer) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    root = await space(alice, "root")
    rules: dict[str, Any] = {
        "private": {"join_rule": "invite"},
        "knock": {"join_rule": "knock"},
        "restricted": {"join_rule": "restricted", "allow": [{"type": "m.room_membership", "room_id": root}]},
        "elsewhere": {"join_rule": "restricted", "allow": [{"type": "m.room_membership", "room_id": "!x:y"}]},
    }
    for name, content in rules.items():
        room_id = await alice.create_room(name=name, initial_state=[{"type": "m.room.join_rules", "content": content}])
        await add(alice, root, room_id)
    readable = await alice.create_room(
        name="readable",
        initial_state=[{"type": "m.room.history_visibility", "content": {"history_visibility": "world_readable"}}],
    )
    await add(alice, root, readable)
    await add(alice, root, await alice.create_room(name="invited", invite=[bob.user_id]))
    await add(alice, root, "!unknown:hs1")
    await alice.put(f"rooms/{root}/state/m.space.child/{await alice.create_room(name='no via')}", {})
    assert await walk(bob, root) == ["root", "knock", "readable", "invited"]
    await bob.post(f"join/{root}")
    assert await walk(bob, root) == ["root", "knock", "restricted", "readable", "invited"]
    await alice.post(f"rooms/{root}/ban", {"user_id": bob.user_id})
    (await bob("GET", f"{V1}/rooms/{root}/hierarchy")).error(403, "M_FORBIDDEN")
    (await bob("GET", f"{V1}/rooms/!none:hs1/hierarchy")).error(403, "M_FORBIDDEN")


async def test_local_users_denial_of_service(server: TestServer) -> None:
    """Class "local user's denial of service": spaces that hold each other end, each room shown once."""
    alice = await server.register("alice")
    spaces = [await space(alice, f"s{n}") for n in range(4)]
    for parent in spaces:
        for child in spaces:
            await add(alice, parent, child)
    assert sorted(await walk(alice, spaces[0], limit=100_000)) == ["s0", "s1", "s2", "s3"]


@pytest.mark.parametrize(
    "path",
    [
        f"{V1}/room_summary/{{}}",
        "/_matrix/client/unstable/im.nheko.summary/summary/{}",
        "/_matrix/client/unstable/im.nheko.summary/rooms/{}/summary",
    ],
)
async def test_a_summary(server: TestServer, path: str) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    room_id = await alice.create_room(
        preset="public_chat",
        room_alias_name="tea",
        name="Tea",
        initial_state=[{"type": "m.room.encryption", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}],
    )
    shown = {
        "room_id": room_id,
        "num_joined_members": 1,
        "world_readable": False,
        "guest_can_join": False,
        "name": "Tea",
        "canonical_alias": "#tea:hs1",
        "join_rule": "public",
        "encryption": "m.megolm.v1.aes-sha2",
        "room_version": "12",
    }
    assert (await server.anonymous("GET", path.format("%23tea:hs1"))).ok() == shown
    assert await alice.get(path.format(room_id), via="hs1") == {**shown, "membership": "join"}
    assert await bob.get(path.format(room_id)) == {**shown, "membership": "leave"}
    await alice.put(f"rooms/{room_id}/state/m.room.name", {"name": "Cup"})
    assert (await bob.get(path.format(room_id)))["name"] == "Cup"
    await seen.room(server, room_id)


async def test_summaries_that_are_not_shown(server: TestServer) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    private = await alice.create_room(invite=[bob.user_id])
    rules = {"join_rule": "restricted", "allow": [{"type": "m.room_membership", "room_id": private}]}
    limited = await alice.create_room(initial_state=[{"type": "m.room.join_rules", "content": rules}])
    path = f"{V1}/room_summary/{{}}"
    (await server.anonymous("GET", path.format(private))).error(404, "M_NOT_FOUND")
    assert (await bob.get(path.format(private)))["membership"] == "invite"
    (await bob("GET", path.format(limited))).error(404, "M_NOT_FOUND")
    await bob.post(f"join/{private}")
    assert (await bob.get(path.format(limited)))["allowed_room_ids"] == [private]
    (await bob("GET", path.format("!none:hs1"))).error(404, "M_NOT_FOUND")
    (await bob("GET", path.format("none"))).error(400, "M_INVALID_PARAM")
