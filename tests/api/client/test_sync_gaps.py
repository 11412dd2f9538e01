"""What sync tells of rooms that the client saw only in part, or for the first time."""

from typing import Any

from inprocess import Client, TestServer

LAZY = {"room": {"state": {"lazy_load_members": True}, "timeline": {"limit": 3}}}
ONLY_TOPIC = {
    "room": {
        "timeline": {"types": []},
        "state": {"types": ["m.room.topic"]},
        "ephemeral": {"types": []},
        "include_leave": True,
    },
    "presence": {"types": []},
}


async def filter_of(client: Client, wanted: dict[str, Any]) -> str:
    return str((await client.post(f"user/{client.user_id}/filter", wanted))["filter_id"])


async def test_members_who_came_or_went_in_a_gap_are_told_to_who_loads_them_lazily(server_on_each: TestServer) -> None:
    alice, bob, carol, dave = [await server_on_each.register(n) for n in ("alice", "bob", "carol", "dave")]
    room_id = await alice.create_room(preset="public_chat")
    await bob.post(f"join/{room_id}")
    await carol.post(f"join/{room_id}")
    lazy = await filter_of(alice, LAZY)
    since = (await alice.get("sync", filter=lazy))["next_batch"]
    await dave.post(f"join/{room_id}")
    await carol.post(f"rooms/{room_id}/leave")
    for number in range(5):
        await bob.send(room_id, f"message {number}")
    section = (await alice.get("sync", filter=lazy, since=since))["rooms"]["join"][room_id]
    assert section["timeline"]["limited"] is True
    members = {e["state_key"]: e["content"]["membership"] for e in section["state"]["events"]}
    # Bob, who speaks, was in the timeline of the first sync.
    assert members == {carol.user_id: "leave", dave.user_id: "join"}


async def test_a_room_entered_and_left_between_two_syncs_comes_with_its_state_as_of_leaving(
    server_on_each: TestServer,
) -> None:
    alice, bob = await server_on_each.register("alice"), await server_on_each.register("bob")
    room_id = await alice.create_room(preset="public_chat", topic="seen")
    only_topic = await filter_of(bob, ONLY_TOPIC)
    since = (await bob.get("sync", filter=only_topic))["next_batch"]
    await bob.post(f"join/{room_id}")
    await bob.post(f"rooms/{room_id}/leave")
    await alice.put(f"rooms/{room_id}/state/m.room.topic", {"topic": "secret"})
    section = (await bob.get("sync", filter=only_topic, since=since))["rooms"]["leave"][room_id]
    assert [e["content"]["topic"] for e in section["state"]["events"]] == ["seen"]
    whole = await bob.get("sync", filter=only_topic)
    assert [e["content"]["topic"] for e in whole["rooms"]["leave"][room_id]["state"]["events"]] == ["seen"]


async def test_a_room_where_the_filter_hides_all_that_happened_is_not_told(server: TestServer) -> None:
    alice = await server.register("alice")
    room_id = await alice.create_room(topic="seen")
    only_topic = await filter_of(alice, ONLY_TOPIC)
    since = (await alice.get("sync", filter=only_topic))["next_batch"]
    await alice.send(room_id, "hidden")
    answer = await alice.get("sync", filter=only_topic, since=since)
    assert "rooms" not in answer
    await alice.put(f"rooms/{room_id}/state/m.room.topic", {"topic": "new"})
    told = (await alice.get("sync", filter=only_topic, since=answer["next_batch"]))["rooms"]["join"][room_id]
    assert [e["content"]["topic"] for e in told["state"]["events"]] == ["new"]


async def test_the_presence_of_who_shares_a_room_from_now_on_is_told_both_ways(server: TestServer) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    room_id = await alice.create_room(preset="public_chat")
    await bob.put(f"presence/{bob.user_id}/status", {"presence": "online", "status_msg": "here"})
    hers, his = (await alice.get("sync"))["next_batch"], (await bob.get("sync"))["next_batch"]
    hers = (await alice.get("sync", since=hers))["next_batch"]
    his = (await bob.get("sync", since=his))["next_batch"]
    await bob.post(f"join/{room_id}")
    for client, since, other in ((alice, hers, bob), (bob, his, alice)):
        answer = await client.get("sync", since=since)
        assert other.user_id in [e["sender"] for e in answer["presence"]["events"]]
        again = await client.get("sync", since=answer["next_batch"])
        assert other.user_id not in [e["sender"] for e in again.get("presence", {}).get("events", [])]


async def test_events_come_as_servers_exchange_them_where_the_filter_asks_for_it(server: TestServer) -> None:
    alice = await server.register("alice")
    room_id = await alice.create_room()
    event_id = await alice.send(room_id, "hello")
    raw = await filter_of(alice, {"event_format": "federation", "room": {"timeline": {"limit": 1}}})
    section = (await alice.get("sync", filter=raw))["rooms"]["join"][room_id]
    (message,) = section["timeline"]["events"]
    assert (message["event_id"], message["room_id"]) == (event_id, room_id)
    assert {"auth_events", "prev_events", "depth", "hashes", "signatures"} <= message.keys()
    assert all("prev_events" in event for event in section["state"]["events"])
    client = (await alice.get("sync", filter=await filter_of(alice, {})))["rooms"]["join"][room_id]
    assert "prev_events" not in client["timeline"]["events"][-1]
