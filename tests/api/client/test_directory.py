"""Aliases and the list of public rooms over HTTP."""

from typing import Any

import pytest

import seen
from inprocess import TestServer, make_config, running_server
from myelin.config.sections.messaging import Rooms

TEA = "directory/room/%23tea:hs1"


async def test_an_alias_is_made_found_and_removed(server_on_each: TestServer) -> None:
    server = server_on_each
    alice, bob = await server.register("alice"), await server.register("bob")
    room_id = await alice.create_room()
    (await bob("PUT", TEA, {"room_id": room_id})).error(403, "M_FORBIDDEN")
    assert await alice.put(TEA, {"room_id": room_id}) == {}
    assert (await server.anonymous("GET", TEA)).ok() == {"room_id": room_id, "servers": ["hs1"]}
    (await alice("PUT", TEA, {"room_id": room_id})).error(409, "M_UNKNOWN")
    (await bob("DELETE", TEA)).error(403, "M_FORBIDDEN")
    assert (await alice("DELETE", TEA)).ok() == {}
    (await alice("GET", TEA)).error(404, "M_NOT_FOUND")
    (await alice("DELETE", TEA)).error(404, "M_NOT_FOUND")


@pytest.mark.parametrize(
    ("alias", "room_id", "status", "errcode"),
    [
        ("tea:hs1", None, 400, "M_INVALID_PARAM"),
        ("%23tea:elsewhere", None, 400, "M_INVALID_PARAM"),
        ("%23tea%20cup:hs1", None, 400, "M_INVALID_PARAM"),
        (f"%23{'x' * 255}:hs1", None, 400, "M_INVALID_PARAM"),
        ("%23tea:hs1", "!none:hs1", 404, "M_NOT_FOUND"),
    ],
)
async def test_bad_aliases(server: TestServer, alias: str, room_id: str | None, status: int, errcode: str) -> None:
    alice = await server.register("alice")
    made = await alice.create_room()
    (await alice("PUT", f"directory/room/{alias}", {"room_id": room_id or made})).error(status, errcode)


async def test_who_lost_the_room_cannot_alias_it(tmp_path: Any) -> None:
    config = make_config(tmp_path, rooms=Rooms(max_aliases_per_room=2, max_aliases_per_user=3))
    async with running_server(config) as server:
        alice = await server.register("alice")
        one, two = await alice.create_room(), await alice.create_room()
        for n in (1, 2):
            await alice.put(f"directory/room/%23a{n}:hs1", {"room_id": one})
        (await alice("PUT", "directory/room/%23a3:hs1", {"room_id": one})).error(403, "M_FORBIDDEN")
        await alice.put("directory/room/%23a3:hs1", {"room_id": two})
        (await alice("PUT", "directory/room/%23a4:hs1", {"room_id": two})).error(403, "M_FORBIDDEN")
        (await alice("POST", "createRoom", {"room_alias_name": "a4"})).error(403, "M_FORBIDDEN")


async def test_a_removed_alias_leaves_the_canonical_alias(server: TestServer) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    room_id = await alice.create_room(room_alias_name="tea", preset="public_chat")
    await bob.post(f"join/{room_id}")
    await bob.put("directory/room/%23cup:hs1", {"room_id": room_id})
    content = {"alias": "#tea:hs1", "alt_aliases": ["#cup:hs1"]}
    await alice.put(f"rooms/{room_id}/state/m.room.canonical_alias", content)
    assert (await bob("DELETE", "directory/room/%23cup:hs1")).ok() == {}
    assert await seen.state(server, room_id, "m.room.canonical_alias") == content
    (await bob("DELETE", TEA)).error(403, "M_FORBIDDEN")
    await alice("DELETE", TEA)
    assert await seen.state(server, room_id, "m.room.canonical_alias") == {"alt_aliases": ["#cup:hs1"]}


async def test_who_has_power_removes_the_aliases_of_others(server: TestServer) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    room_id = await alice.create_room(preset="public_chat")
    await bob.post(f"join/{room_id}")
    await bob.put(TEA, {"room_id": room_id})
    assert (await alice("DELETE", TEA)).ok() == {}


async def test_the_aliases_of_a_room_are_for_its_members(server: TestServer) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    room_id = await alice.create_room(room_alias_name="tea")
    path = f"rooms/{room_id}/aliases"
    assert await alice.get(path) == {"aliases": ["#tea:hs1"]}
    (await bob("GET", path)).error(403, "M_FORBIDDEN")
    (await bob("GET", "rooms/!none:hs1/aliases")).error(403, "M_FORBIDDEN")
    await alice.put(f"rooms/{room_id}/state/m.room.history_visibility", {"history_visibility": "world_readable"})
    assert await bob.get(path) == {"aliases": ["#tea:hs1"]}


async def test_publishing(server_on_each: TestServer) -> None:
    alice, bob = await server_on_each.register("alice"), await server_on_each.register("bob")
    room_id = await alice.create_room(preset="public_chat")
    path = f"directory/list/room/{room_id}"
    assert await alice.get(path) == {"visibility": "private"}
    await bob.post(f"join/{room_id}")
    (await bob("PUT", path, {"visibility": "public"})).error(403, "M_FORBIDDEN")
    (await alice("PUT", path, {"visibility": "secret"})).error(400, "M_BAD_JSON")
    await alice.put(path, {})
    assert (await server_on_each.anonymous("GET", path)).ok() == {"visibility": "public"}
    assert [r["room_id"] for r in (await bob.get("publicRooms"))["chunk"]] == [room_id]
    await alice.put(path, {"visibility": "private"})
    assert (await bob.get("publicRooms"))["chunk"] == []
    (await alice("GET", "directory/list/room/!none:hs1")).error(404, "M_NOT_FOUND")
    (await alice("PUT", "directory/list/room/!none:hs1", {})).error(404, "M_NOT_FOUND")


async def test_what_the_list_shows(server_on_each: TestServer) -> None:
    alice, bob = await server_on_each.register("alice"), await server_on_each.register("bob")
    room_id = await alice.create_room(
        visibility="public",
        name="Tea",
        topic="Leaves",
        room_alias_name="tea",
        creation_content={"type": "m.space"},
        initial_state=[
            {"type": "m.room.avatar", "content": {"url": "mxc://hs1/a"}},
            {"type": "m.room.guest_access", "content": {"guest_access": "can_join"}},
            {"type": "m.room.history_visibility", "content": {"history_visibility": "world_readable"}},
        ],
    )
    shown = {
        "room_id": room_id,
        "num_joined_members": 1,
        "world_readable": True,
        "guest_can_join": True,
        "name": "Tea",
        "topic": "Leaves",
        "canonical_alias": "#tea:hs1",
        "avatar_url": "mxc://hs1/a",
        "join_rule": "public",
        "room_type": "m.space",
    }
    assert await alice.get("publicRooms") == {"chunk": [shown], "total_room_count_estimate": 1}
    await bob.post(f"join/{room_id}")
    await alice.put(f"rooms/{room_id}/state/m.room.name", {"name": 7})
    await alice.put(f"rooms/{room_id}/state/m.room.avatar", {"url": "http://x"})
    await alice.put(
        f"rooms/{room_id}/state/m.room.topic",
        {"topic": "old", "m.topic": {"m.text": [{"mimetype": "text/html", "body": "<b>"}, {"body": "plain"}]}},
    )
    del shown["name"], shown["avatar_url"]
    shown.update(num_joined_members=2, topic="plain")
    assert (await alice.get("publicRooms"))["chunk"] == [shown]


async def test_pages_in_both_directions(server_on_each: TestServer) -> None:
    alice, bob = await server_on_each.register("alice"), await server_on_each.register("bob")
    rooms = [await alice.create_room(visibility="public", name=f"r{n}") for n in range(5)]
    await bob.post(f"join/{rooms[3]}")
    order = [rooms[3], *sorted(set(rooms) - {rooms[3]})]
    pages, since = [], None
    while True:
        page = await alice.get("publicRooms", limit=2, **({"since": since} if since else {}))
        pages.append(page)
        since = page.get("next_batch")
        if since is None:
            break
    assert [[r["room_id"] for r in page["chunk"]] for page in pages] == [order[:2], order[2:4], order[4:]]
    assert "prev_batch" not in pages[0]
    back = await alice.get("publicRooms", limit=2, since=pages[2]["prev_batch"])
    assert [r["room_id"] for r in back["chunk"]] == order[2:4]
    back = await alice.get("publicRooms", limit=2, since=back["prev_batch"])
    assert [r["room_id"] for r in back["chunk"]] == order[:2]
    assert "prev_batch" not in back
    for since in ("x", "§", "W10", "e" * 2_000):
        (await alice("GET", "publicRooms", since=since)).error(400, "M_INVALID_PARAM")
    (await alice("GET", "publicRooms", limit=0)).error(400, "M_INVALID_PARAM")
    (await alice("GET", "publicRooms", limit="many")).error(400, "M_INVALID_PARAM")


async def test_searching_the_list(server: TestServer) -> None:
    alice = await server.register("alice")
    tea = await alice.create_room(visibility="public", name="Green TEA")
    cup = await alice.create_room(visibility="public", topic="for tea and coffee", room_alias_name="cup")
    space = await alice.create_room(visibility="public", creation_content={"type": "m.space"}, name="Kitchen")

    async def search(**wanted: Any) -> set[str]:
        return {r["room_id"] for r in (await alice.post("publicRooms", {"filter": wanted}))["chunk"]}

    assert await search(generic_search_term="tea") == {tea, cup}
    assert await search(generic_search_term="CUP") == {cup}
    assert await search(room_types=["m.space"]) == {space}
    assert await search(room_types=[None]) == {tea, cup}
    assert await search(room_types=[None, "m.space"], generic_search_term="k") == {space}
    assert await search() == {tea, cup, space}
    first = await alice.post("publicRooms", {"filter": {"generic_search_term": "tea"}, "limit": 1})
    second = await alice.post(
        "publicRooms", {"filter": {"generic_search_term": "tea"}, "limit": 1, "since": first["next_batch"]}
    )
    assert {first["chunk"][0]["room_id"], second["chunk"][0]["room_id"]} == {tea, cup}
    (await alice("POST", "publicRooms", {"filter": "tea"})).error(400, "M_BAD_JSON")


async def test_who_may_see_the_list(tmp_path: Any) -> None:
    async with running_server(make_config(tmp_path)) as server:
        (await server.anonymous("GET", "publicRooms")).error(401, "M_MISSING_TOKEN")
        alice = await server.register("alice")
        assert (await alice.get("publicRooms", server="hs1"))["chunk"] == []
        (await alice("GET", "publicRooms", server="elsewhere")).error(502, "M_UNKNOWN")
    async with running_server(make_config(tmp_path, rooms=Rooms(directory_needs_login=False))) as server:
        assert (await server.anonymous("GET", "publicRooms")).ok()["chunk"] == []
