"""The threads of a room."""

from typing import Any

from inprocess import Client, TestServer

V1 = "/_matrix/client/v1/rooms"


def reply(root: str) -> dict[str, Any]:
    return {"msgtype": "m.text", "body": "r", "m.relates_to": {"rel_type": "m.thread", "event_id": root}}


async def house(server: TestServer) -> tuple[Client, Client, str, list[str]]:
    """Alice's room with bob in it, and four threads, of which bob answered in the second and wrote the last."""
    alice, bob = await server.register("alice"), await server.register("bob")
    room_id = await alice.create_room(preset="public_chat")
    await bob.post(f"join/{room_id}")
    roots = [await alice.send(room_id, f"root {i}") for i in range(3)]
    roots.append(await bob.send(room_id, "bob's root"))
    for root in roots:
        await alice.send(room_id, reply(root))
    await bob.send(room_id, reply(roots[1]))
    return alice, bob, room_id, roots


def ids(page: dict[str, Any]) -> list[str]:
    return [event["event_id"] for event in page["chunk"]]


async def test_the_most_recently_active_thread_is_first(server_on_each: TestServer) -> None:
    alice, bob, room_id, roots = await house(server_on_each)
    path = f"{V1}/{room_id}/threads"
    page = await alice.get(path)
    assert ids(page) == [roots[1], roots[3], roots[2], roots[0]]
    assert page["chunk"][0]["unsigned"]["m.relations"]["m.thread"]["count"] == 2
    assert "next_batch" not in page
    assert ids(await bob.get(path, include="participated")) == [roots[1], roots[3]]
    found: list[str] = []
    query: dict[str, Any] = {"limit": 1}
    while True:
        page = await bob.get(path, **query)
        found += ids(page)
        if "next_batch" not in page:
            break
        query["from"] = page["next_batch"]
    assert found == [roots[1], roots[3], roots[2], roots[0]]


async def test_bad_queries_and_strangers_are_refused(server: TestServer) -> None:
    alice, _, room_id, _ = await house(server)
    eve = await server.register("eve")
    (await eve("GET", f"{V1}/{room_id}/threads")).error(403, "M_FORBIDDEN")
    for query in ({"limit": 0}, {"from": "junk"}, {"include": "mine"}):
        (await alice("GET", f"{V1}/{room_id}/threads", **query)).error(400, "M_INVALID_PARAM")


async def test_who_left_sees_threads_as_they_were(server: TestServer) -> None:
    alice, bob, room_id, roots = await house(server)
    await bob.post(f"rooms/{room_id}/leave")
    await alice.send(room_id, reply(roots[0]))
    later = await alice.send(room_id, "later")
    await alice.send(room_id, reply(later))
    assert ids(await bob.get(f"{V1}/{room_id}/threads")) == [roots[1], roots[3], roots[2], roots[0]]
    assert ids(await alice.get(f"{V1}/{room_id}/threads"))[:2] == [later, roots[0]]


async def test_the_root_of_an_ignored_user_looks_redacted(server: TestServer) -> None:
    alice, bob, room_id, roots = await house(server)
    await alice.put(f"user/{alice.user_id}/account_data/m.ignored_user_list", {"ignored_users": {bob.user_id: {}}})
    page = await alice.get(f"{V1}/{room_id}/threads")
    hidden = next(e for e in page["chunk"] if e["event_id"] == roots[3])
    assert hidden["content"] == {}
    assert hidden["unsigned"]["m.relations"]["m.thread"]["count"] == 1
    assert (await alice.get(f"rooms/{room_id}/event/{roots[3]}"))["content"]["body"] == "bob's root"
