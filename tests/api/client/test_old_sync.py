"""The event stream that was there before /sync."""

import asyncio
from typing import Any

from inprocess import Client, TestServer


async def now(client: Client) -> str:
    """A token for the present."""
    answer = await client.get("events", timeout=0)
    assert answer["chunk"] == []
    assert answer["start"] == answer["end"]
    return str(answer["end"])


async def news(client: Client, since: str, wait_ms: int = 0, **query: Any) -> tuple[list[Any], str]:
    answer = await client.get("events", from_=since, timeout=wait_ms, **query)
    assert answer["start"] == since
    return answer["chunk"], answer["end"]


async def test_events_come_once_with_their_room_to_who_is_in_it(server: TestServer) -> None:
    alice, bob, eve = [await server.register(name) for name in ("alice", "bob", "eve")]
    room_id = await alice.create_room(preset="public_chat")
    await bob.post(f"join/{room_id}")
    since, outside = await now(bob), await now(eve)
    event_id = await alice.send(room_id, "hello")
    chunk, end = await news(bob, since)
    assert [(e["event_id"], e["room_id"]) for e in chunk if e["type"] == "m.room.message"] == [(event_id, room_id)]
    assert [e for e in (await news(bob, end))[0] if "event_id" in e] == []
    assert [e for e in (await news(eve, outside))[0] if "event_id" in e] == []


async def test_a_waiting_request_is_answered_when_something_happens(server: TestServer) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    room_id = await alice.create_room(preset="public_chat")
    await bob.post(f"join/{room_id}")
    since = await now(bob)
    waiting = asyncio.ensure_future(news(bob, since, 20_000))
    await alice.put(f"rooms/{room_id}/typing/{alice.user_id}", {"typing": True, "timeout": 10_000})
    chunk, _ = await waiting
    assert {"type": "m.typing", "room_id": room_id, "content": {"user_ids": [alice.user_id]}} in chunk


async def test_one_is_told_of_own_invites_and_bans(server: TestServer) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    since = await now(bob)
    room_id = await alice.create_room(preset="private_chat", invite=[bob.user_id])
    chunk, since = await news(bob, since)
    assert [(e["content"]["membership"], e["room_id"]) for e in chunk if e["type"] == "m.room.member"] == [
        ("invite", room_id)
    ]
    await bob.post(f"join/{room_id}")
    since = (await news(bob, since))[1]
    seen = await alice.send(room_id, "before")
    await alice.post(f"rooms/{room_id}/ban", {"user_id": bob.user_id})
    await alice.send(room_id, "after")
    chunk, _ = await news(bob, since)
    assert [e["event_id"] for e in chunk if e["type"] == "m.room.message"] == [seen]
    assert [e["content"]["membership"] for e in chunk if e["type"] == "m.room.member"] == ["ban"]


async def test_receipts_and_presence_are_in_it(server: TestServer) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    room_id = await alice.create_room(preset="public_chat")
    await bob.post(f"join/{room_id}")
    event_id = await alice.send(room_id, "hello")
    since = await now(alice)
    await bob.post(f"rooms/{room_id}/receipt/m.read/{event_id}")
    await bob.put(f"presence/{bob.user_id}/status", {"presence": "unavailable", "status_msg": "tea"})
    chunk, _ = await news(alice, since)
    (receipt,) = [e for e in chunk if e["type"] == "m.receipt"]
    assert receipt["room_id"] == room_id
    assert bob.user_id in receipt["content"][event_id]["m.read"]
    assert [e["content"]["status_msg"] for e in chunk if e["type"] == "m.presence" and e["sender"] == bob.user_id] == [
        "tea"
    ]


async def test_who_is_not_in_a_world_readable_room_can_watch_it(server: TestServer) -> None:
    alice, eve = await server.register("alice"), await server.register("eve")
    visible = {"type": "m.room.history_visibility", "content": {"history_visibility": "world_readable"}}
    room_id = await alice.create_room(preset="public_chat", initial_state=[visible])
    since = await now(eve)
    waiting = asyncio.ensure_future(news(eve, since, 20_000, room_id=room_id))
    event_id = await alice.send(room_id, "hello")
    chunk, _ = await waiting
    assert [e["event_id"] for e in chunk] == [event_id]
    hidden = await alice.create_room()
    (await eve("GET", "events", room_id=hidden, timeout=0)).error(403, "M_FORBIDDEN")


async def test_what_makes_no_sense(server: TestServer) -> None:
    alice = await server.register("alice")
    (await alice("GET", "events", timeout=-1)).error(400, "M_INVALID_PARAM")
    (await alice("GET", "events", from_="x")).error(400, "M_INVALID_PARAM")
    (await server.anonymous("GET", "events")).error(401, "M_MISSING_TOKEN")


async def test_a_client_begins_with_all_its_rooms_and_goes_on_with_events(server: TestServer) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    room_id = await alice.create_room(preset="public_chat", topic="tea", visibility="public")
    for number in range(3):
        await alice.send(room_id, f"message {number}")
    invited = await bob.create_room(invite=[alice.user_id])
    left = await alice.create_room()
    await alice.post(f"rooms/{left}/leave")
    await alice.put(f"user/{alice.user_id}/account_data/org.example", {"a": 1})
    begun = await alice.get("initialSync", limit=2)
    sections = {section["room_id"]: section for section in begun["rooms"]}
    assert sections.keys() == {room_id, invited}
    joined = sections[room_id]
    assert [e["content"]["body"] for e in joined["messages"]["chunk"]] == ["message 1", "message 2"]
    assert "tea" in [e["content"].get("topic") for e in joined["state"]]
    assert (joined["membership"], joined["visibility"]) == ("join", "public")
    assert sections[invited]["invite"]["content"]["membership"] == "invite"
    assert {"type": "org.example", "content": {"a": 1}} in begun["account_data"]
    archived = await alice.get("initialSync", archived=True)
    assert {s["room_id"]: s["membership"] for s in archived["rooms"]}[left] == "leave"
    event_id = await alice.send(room_id, "later")
    chunk, _ = await news(alice, begun["end"])
    assert [e["event_id"] for e in chunk if "event_id" in e] == [event_id]


async def test_one_event_by_its_id_alone(server: TestServer) -> None:
    alice, eve = await server.register("alice"), await server.register("eve")
    room_id = await alice.create_room()
    event_id = await alice.send(room_id, "hello")
    shown = await alice.get(f"events/{event_id}")
    assert (shown["event_id"], shown["room_id"], shown["content"]["body"]) == (event_id, room_id, "hello")
    (await eve("GET", f"events/{event_id}")).error(404, "M_NOT_FOUND")
    for unknown in ("$unknown", "nonsense", room_id):
        (await alice("GET", f"events/{unknown}")).error(404, "M_NOT_FOUND")
