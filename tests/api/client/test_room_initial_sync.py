"""All of one room at once."""

from inprocess import TestServer


async def test_members_get_the_room_whole(server_on_each: TestServer) -> None:
    alice = await server_on_each.register("alice")
    room_id = await alice.create_room(preset="public_chat", visibility="public", topic="Tea")
    sent = [await alice.send(room_id, f"m{i}") for i in range(3)]
    await alice.put(f"user/{alice.user_id}/rooms/{room_id}/account_data/org.example.x", {"y": 1})
    await alice.post(f"rooms/{room_id}/receipt/m.read/{sent[-1]}")
    room = await alice.get(f"rooms/{room_id}/initialSync", limit=2)
    assert (room["room_id"], room["membership"], room["visibility"]) == (room_id, "join", "public")
    assert [e["event_id"] for e in room["messages"]["chunk"]] == sent[1:]
    older = await alice.get(f"rooms/{room_id}/messages", **{"dir": "b", "from": room["messages"]["start"], "limit": 1})
    assert older["chunk"][0]["event_id"] == sent[0]
    later = await alice.send(room_id, "later")
    newer = await alice.get(f"rooms/{room_id}/messages", **{"dir": "f", "from": room["messages"]["end"]})
    assert [e["event_id"] for e in newer["chunk"]] == [later]
    assert {"topic": "Tea"}.items() <= next(e for e in room["state"] if e["type"] == "m.room.topic")["content"].items()
    assert {"type": "org.example.x", "content": {"y": 1}} in room["account_data"]
    assert sent[-1] in room["receipts"][0]["content"]
    assert (await alice.get(f"rooms/{room_id}/initialSync", limit=0))["messages"]["chunk"] == []


async def test_who_left_gets_it_as_it_was(server: TestServer) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    room_id = await alice.create_room(preset="public_chat", topic="before")
    await bob.post(f"join/{room_id}")
    seen = await alice.send(room_id, "seen")
    await alice.post(f"rooms/{room_id}/receipt/m.read/{seen}")
    await bob.post(f"rooms/{room_id}/leave")
    await alice.send(room_id, "hidden")
    await alice.put(f"rooms/{room_id}/state/m.room.topic", {"topic": "after"})
    room = await bob.get(f"rooms/{room_id}/initialSync", limit=2)
    assert room["membership"] == "leave"
    assert room["messages"]["chunk"][0]["event_id"] == seen
    assert next(e for e in room["state"] if e["type"] == "m.room.topic")["content"]["topic"] == "before"
    assert room["presence"] == room["receipts"] == []


async def test_peekers_get_what_is_world_readable(server: TestServer) -> None:
    alice, eve = await server.register("alice"), await server.register("eve")
    room_id = await alice.create_room()
    await alice.send(room_id, "private")
    (await eve("GET", f"rooms/{room_id}/initialSync")).error(403, "M_FORBIDDEN")
    await alice.put(f"rooms/{room_id}/state/m.room.history_visibility", {"history_visibility": "world_readable"})
    await alice.send(room_id, "public")
    room = await eve.get(f"rooms/{room_id}/initialSync")
    assert [e["type"] for e in room["messages"]["chunk"]] == ["m.room.history_visibility", "m.room.message"]
    assert "membership" not in room
    assert room["presence"] == room["receipts"] == []
