"""Events that relate to others, and what is bundled with these."""

from typing import Any

import pytest

from inprocess import Client, TestServer

V1 = "/_matrix/client/v1/rooms"


def related(rel_type: str, event_id: str, **content: Any) -> dict[str, Any]:
    return {"msgtype": "m.text", "body": "x", "m.relates_to": {"rel_type": rel_type, "event_id": event_id}, **content}


def edit(event_id: str, body: str) -> dict[str, Any]:
    return related("m.replace", event_id, body=f"* {body}", **{"m.new_content": {"msgtype": "m.text", "body": body}})


async def house(server: TestServer) -> tuple[Client, Client, str]:
    """Alice's public room, with bob in it."""
    alice, bob = await server.register("alice"), await server.register("bob")
    room_id = await alice.create_room(preset="public_chat")
    await bob.post(f"join/{room_id}")
    return alice, bob, room_id


async def bundle(client: Client, room_id: str, event_id: str) -> dict[str, Any]:
    event = await client.get(f"rooms/{room_id}/event/{event_id}")
    return event["unsigned"].get("m.relations", {})


async def push_out(client: Client, room_id: str) -> None:
    """Fill the room's memory with something else."""
    for i in range(55):
        await client.send(room_id, f"filler {i}")


async def test_children_are_paged_in_both_directions(server_on_each: TestServer) -> None:
    alice, bob, room_id = await house(server_on_each)
    root = await alice.send(room_id, "root")
    replies = [await bob.send(room_id, related("m.thread", root)) for _ in range(5)]
    reaction = await bob.send(
        room_id, {"m.relates_to": {"rel_type": "m.annotation", "event_id": root, "key": "+"}}, "m.reaction"
    )
    path = f"{V1}/{room_id}/relations/{root}"
    page = await alice.get(path)
    assert [e["event_id"] for e in page["chunk"]] == [reaction, *replies[::-1]]
    assert page.keys() == {"chunk"}
    assert [e["event_id"] for e in (await alice.get(path, dir="f"))["chunk"]] == [*replies, reaction]
    assert [e["event_id"] for e in (await alice.get(f"{path}/m.thread"))["chunk"]] == replies[::-1]
    assert (await alice.get(f"{path}/m.thread/m.reaction"))["chunk"] == []
    only = await alice.get(f"{path}/m.annotation/m.reaction")
    assert [e["event_id"] for e in only["chunk"]] == [reaction]
    for direction, expected in (("b", replies[::-1]), ("f", replies)):
        found: list[str] = []
        query: dict[str, Any] = {"dir": direction, "limit": 2}
        while True:
            page = await alice.get(f"{path}/m.thread", **query)
            found += [e["event_id"] for e in page["chunk"]]
            assert page.get("prev_batch") == query.get("from")
            if "next_batch" not in page:
                break
            query["from"] = page["next_batch"]
        assert found == expected
    first = await alice.get(f"{path}/m.thread", limit=2)
    assert len((await alice.get(f"{path}/m.thread", to=first["next_batch"]))["chunk"]) == 2


async def test_recursion_finds_what_relates_to_children(server_on_each: TestServer) -> None:
    alice, _, room_id = await house(server_on_each)
    root = await alice.send(room_id, "root")
    reply = await alice.send(room_id, related("m.thread", root))
    changed = await alice.send(room_id, edit(reply, "changed"))
    deeper = await alice.send(room_id, related("m.reference", changed))
    too_deep = await alice.send(room_id, related("m.reference", deeper))
    path = f"{V1}/{room_id}/relations/{root}"
    page = await alice.get(path, recurse=True)
    assert [e["event_id"] for e in page["chunk"]] == [deeper, changed, reply]
    assert page["recursion_depth"] == 3
    page = await alice.get(path, recurse=True, dir="f", limit=2)
    assert [e["event_id"] for e in page["chunk"]] == [reply, changed]
    page = await alice.get(f"{path}/m.replace", recurse=True)
    assert [e["event_id"] for e in page["chunk"]] == [changed]
    page = await alice.get(path, recurse=False)
    assert ([e["event_id"] for e in page["chunk"]], page["recursion_depth"]) == ([reply], 1)
    assert too_deep not in str(page)


async def test_a_parent_that_is_not_visible_is_not_found(server: TestServer) -> None:
    alice, _, room_id = await house(server)
    root = await alice.send(room_id, "root")
    eve = await server.register("eve")
    (await eve("GET", f"{V1}/{room_id}/relations/{root}")).error(404, "M_NOT_FOUND")
    (await alice("GET", f"{V1}/{room_id}/relations/$unknown")).error(404, "M_NOT_FOUND")
    (await alice("GET", f"{V1}/{room_id}/relations/{root}", limit="-1")).error(400, "M_INVALID_PARAM")


@pytest.mark.parametrize("in_memory", [True, False])
async def test_the_latest_edit_is_bundled(server_on_each: TestServer, in_memory: bool) -> None:
    alice, bob, room_id = await house(server_on_each)
    event_id = await alice.send(room_id, "one")
    await alice.send(room_id, edit(event_id, "two"))
    latest = await alice.send(room_id, edit(event_id, "three"))
    await bob.send(room_id, edit(event_id, "forged"))
    if not in_memory:
        await push_out(alice, room_id)
    event = await bob.get(f"rooms/{room_id}/event/{event_id}")
    assert event["content"]["body"] == "one"
    replaced = event["unsigned"]["m.relations"]["m.replace"]
    assert (replaced["event_id"], replaced["room_id"]) == (latest, room_id)
    assert replaced["content"]["m.new_content"]["body"] == "three"
    newer = await alice.send(room_id, edit(event_id, "four"))
    assert (await bundle(bob, room_id, event_id))["m.replace"]["event_id"] == newer
    await alice.put(f"rooms/{room_id}/redact/{newer}/r1")
    assert (await bundle(bob, room_id, event_id))["m.replace"]["event_id"] == latest
    await alice.put(f"rooms/{room_id}/redact/{event_id}/r2")
    assert "m.replace" not in await bundle(bob, room_id, event_id)


@pytest.mark.parametrize("in_memory", [True, False])
async def test_a_thread_is_summarised_with_its_latest_event(server_on_each: TestServer, in_memory: bool) -> None:
    alice, bob, room_id = await house(server_on_each)
    carol = await server_on_each.register("carol")
    await carol.post(f"join/{room_id}")
    root = await alice.send(room_id, "root")
    first = await bob.send(room_id, related("m.thread", root))
    latest = await bob.send(room_id, related("m.thread", root))
    changed = await bob.send(room_id, edit(latest, "changed"))
    if not in_memory:
        await push_out(alice, room_id)
    for client, participated in ((alice, True), (bob, True), (carol, False)):
        thread = (await bundle(client, room_id, root))["m.thread"]
        assert (thread["count"], thread["current_user_participated"]) == (2, participated)
        assert thread["latest_event"]["event_id"] == latest
        assert thread["latest_event"]["unsigned"]["m.relations"]["m.replace"]["event_id"] == changed
    await bob.put(f"rooms/{room_id}/redact/{latest}/r1")
    thread = (await bundle(carol, room_id, root))["m.thread"]
    assert (thread["count"], thread["latest_event"]["event_id"]) == (1, first)
    await bob.put(f"rooms/{room_id}/redact/{first}/r2")
    assert await bundle(carol, room_id, root) == {}


async def test_references_are_listed(server_on_each: TestServer) -> None:
    alice, bob, room_id = await house(server_on_each)
    root = await alice.send(room_id, "root")
    references = [await bob.send(room_id, related("m.reference", root), "org.example.x") for _ in range(3)]
    assert await bundle(alice, room_id, root) == {"m.reference": {"chunk": [{"event_id": e} for e in references]}}


async def test_what_ignored_users_answer_is_not_bundled(server: TestServer) -> None:
    alice, bob, room_id = await house(server)
    root = await alice.send(room_id, "root")
    own = await alice.send(room_id, related("m.thread", root))
    await bob.send(room_id, related("m.thread", root))
    await bob.send(room_id, related("m.reference", root))
    await alice.put(f"user/{alice.user_id}/account_data/m.ignored_user_list", {"ignored_users": {bob.user_id: {}}})
    relations = await bundle(alice, room_id, root)
    assert relations.keys() == {"m.thread"}
    assert relations["m.thread"]["latest_event"]["event_id"] == own
    assert relations["m.thread"]["count"] == 1
    assert (await bundle(bob, room_id, root))["m.thread"]["count"] == 2


async def test_who_left_sees_no_later_children(server_on_each: TestServer) -> None:
    alice, bob, room_id = await house(server_on_each)
    root = await alice.send(room_id, "root")
    seen = await alice.send(room_id, related("m.thread", root))
    await bob.post(f"rooms/{room_id}/leave")
    hidden = await alice.send(room_id, related("m.thread", root))
    await alice.send(room_id, edit(root, "secret"))
    relations = await bundle(bob, room_id, root)
    assert relations.keys() == {"m.thread"}
    assert (relations["m.thread"]["count"], relations["m.thread"]["latest_event"]["event_id"]) == (1, seen)
    page = await bob.get(f"{V1}/{room_id}/relations/{root}")
    assert [e["event_id"] for e in page["chunk"]] == [seen]
    assert hidden in str(await alice.get(f"{V1}/{room_id}/relations/{root}"))


async def test_s_ghsa_27p5_children_of_other_rooms_do_not_count(server_on_each: TestServer) -> None:
    alice, bob, room_id = await house(server_on_each)
    root = await alice.send(room_id, "root")
    elsewhere = await bob.create_room()
    foreign = await bob.send(elsewhere, related("m.thread", root))
    await bob.send(elsewhere, related("m.reference", root))
    for _ in range(2):
        assert await bundle(alice, room_id, root) == {}
        assert (await alice.get(f"{V1}/{room_id}/relations/{root}"))["chunk"] == []
        assert (await alice.get(f"{V1}/{room_id}/relations/{root}", recurse=True))["chunk"] == []
        await push_out(alice, room_id)
    assert (await bob.get(f"{V1}/{elsewhere}/threads"))["chunk"] == []
    assert foreign in str(await bob.get(f"rooms/{elsewhere}/messages", dir="b"))
