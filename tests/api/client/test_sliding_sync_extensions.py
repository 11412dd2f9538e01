"""The extensions of sliding sync: what is told beside rooms' events."""

import asyncio
from typing import Any

from inprocess import TestServer
from olm_keys import OlmDevice
from polling import DEADLINE_S
from sliding import Sliding, a_list

ALL: dict[str, Any] = {
    name: {"enabled": True} for name in ("to_device", "e2ee", "account_data", "receipts", "typing")
} | {"io.element.msc4308.thread_subscriptions": {"enabled": True}}


async def test_what_is_not_asked_for_is_not_told(server: TestServer) -> None:
    alice = await server.register("alice")
    assert (await Sliding(alice)())["extensions"] == {}


async def test_messages_for_the_device_have_a_token_of_their_own(server: TestServer) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    sync = Sliding(alice, extensions={"to_device": {"enabled": True, "limit": 2}})
    start = (await sync())["extensions"]["to_device"]
    assert start["events"] == []
    for n in range(3):
        await bob.put(f"sendToDevice/m.test/{n}", {"messages": {alice.user_id: {alice.device_id: {"n": n}}}})

    async def read(since: str) -> Any:
        return (await sync(extensions={"to_device": {"enabled": True, "limit": 2, "since": since}}))["extensions"]

    first = (await read(start["next_batch"]))["to_device"]
    assert [e["content"]["n"] for e in first["events"]] == [0, 1]
    assert (await read(start["next_batch"]))["to_device"] == first
    rest = (await read(first["next_batch"]))["to_device"]
    assert [e["content"]["n"] for e in rest["events"]] == [2]
    other = Sliding(alice, "other", extensions={"to_device": {"enabled": True, "since": rest["next_batch"]}})
    assert (await other())["extensions"]["to_device"]["events"] == []
    broken = {"extensions": {"to_device": {"enabled": True, "since": "x"}}}
    (await alice("POST", sync.path, broken)).error(400, "M_INVALID_PARAM")


async def test_keys_and_devices(server: TestServer) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    room_id = await alice.create_room(preset="public_chat")
    sync = Sliding(alice, extensions={"e2ee": {"enabled": True}})
    first = (await sync())["extensions"]["e2ee"]
    assert first == {"device_one_time_keys_count": {"signed_curve25519": 0}, "device_unused_fallback_key_types": []}
    await bob.post(f"join/{room_id}")
    assert (await sync())["extensions"]["e2ee"]["device_lists"] == {"changed": [bob.user_id], "left": []}
    assert "device_lists" not in (await sync())["extensions"]["e2ee"]
    waiting = asyncio.create_task(sync(timeout_ms=20_000))
    await bob.post("keys/upload", {"device_keys": OlmDevice(bob.user_id, bob.device_id).keys})
    told = await asyncio.wait_for(waiting, DEADLINE_S)
    assert told["extensions"]["e2ee"]["device_lists"]["changed"] == [bob.user_id]
    await bob.put(f"profile/{bob.user_id}/displayname", {"displayname": "B"})
    assert "device_lists" not in (await sync())["extensions"]["e2ee"]
    await bob.post(f"rooms/{room_id}/leave")
    assert (await sync())["extensions"]["e2ee"]["device_lists"] == {"changed": [], "left": [bob.user_id]}


async def test_account_data(server: TestServer) -> None:
    alice = await server.register("alice")
    room_id = await alice.create_room()
    await alice.put(f"user/{alice.user_id}/account_data/m.a", {"n": 1})
    await alice.put(f"user/{alice.user_id}/rooms/{room_id}/account_data/m.b", {"n": 2})
    sync = Sliding(alice, lists={"all": a_list()}, extensions={"account_data": {"enabled": True}})
    told = (await sync())["extensions"]["account_data"]
    assert {e["type"] for e in told["global"]} == {"m.a", "m.push_rules"}
    assert told["rooms"] == {room_id: [{"type": "m.b", "content": {"n": 2}}]}
    assert (await sync())["extensions"] == {}
    await alice.put(f"user/{alice.user_id}/rooms/{room_id}/account_data/m.c", {"n": 3})
    assert (await sync())["extensions"]["account_data"] == {"rooms": {room_id: [{"type": "m.c", "content": {"n": 3}}]}}


async def test_what_extensions_missed_outside_the_window_is_told_later(server: TestServer) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    old, new = await alice.create_room(preset="public_chat"), await alice.create_room()
    await bob.post(f"join/{old}")
    event_id = await alice.send(old, "read me")
    await alice.send(new, "newer")
    wide, narrow = {"all": a_list([0, 9])}, {"all": a_list([0, 0])}
    extensions = {"account_data": {"enabled": True}, "receipts": {"enabled": True}}
    sync = Sliding(alice, lists=wide, extensions=extensions)
    await sync()
    await sync(lists=narrow)
    await alice.put(f"user/{alice.user_id}/rooms/{old}/account_data/m.c", {"n": 3})
    await bob.post(f"rooms/{old}/receipt/m.read/{event_id}")
    assert (await sync())["extensions"] == {}
    back = await sync(lists=wide)
    assert back["rooms"] == {}
    assert back["extensions"]["account_data"]["rooms"] == {old: [{"type": "m.c", "content": {"n": 3}}]}
    assert set(back["extensions"]["receipts"]["rooms"]) == {old}
    assert (await sync())["extensions"] == {}


async def test_receipts_and_counts(server: TestServer) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    room_id = await alice.create_room(preset="public_chat")
    await bob.post(f"join/{room_id}")
    first, second = await bob.send(room_id, "1"), await bob.send(room_id, "2")
    await bob.post(f"rooms/{room_id}/receipt/m.read/{first}")
    sync = Sliding(alice, lists={"all": a_list(limit=1)}, extensions={"receipts": {"enabled": True}})
    start = await sync()
    assert "receipts" not in start["extensions"]
    assert start["rooms"][room_id]["notification_count"] == 2
    await bob.post(f"rooms/{room_id}/receipt/m.read/{second}")
    receipts = (await sync())["extensions"]["receipts"]["rooms"]
    assert receipts[room_id]["type"] == "m.receipt"
    assert set(receipts[room_id]["content"][second]["m.read"]) == {bob.user_id}
    await alice.post(f"rooms/{room_id}/receipt/m.read/{second}")
    answer = await sync()
    assert answer["rooms"][room_id]["notification_count"] == 0
    assert "timeline" not in answer["rooms"][room_id]
    assert (await sync())["rooms"] == {}
    fresh = (await Sliding(alice, "2", lists=sync.body["lists"], extensions=sync.body["extensions"])())["extensions"]
    assert set(fresh["receipts"]["rooms"][room_id]["content"][second]["m.read"]) == {alice.user_id, bob.user_id}


async def test_typing_wakes_and_scopes_hold(server: TestServer) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    room_id = await alice.create_room(preset="public_chat")
    await bob.post(f"join/{room_id}")
    sync = Sliding(alice, lists={"all": a_list()}, extensions=ALL)
    await sync()
    waiting = asyncio.create_task(sync(timeout_ms=20_000))
    await bob.put(f"rooms/{room_id}/typing/{bob.user_id}", {"typing": True, "timeout": 20_000})
    told = (await asyncio.wait_for(waiting, DEADLINE_S))["extensions"]
    assert told["typing"] == {"rooms": {room_id: {"type": "m.typing", "content": {"user_ids": [bob.user_id]}}}}
    assert "io.element.msc4308.thread_subscriptions" not in told
    await bob.put(f"rooms/{room_id}/typing/{bob.user_id}", {"typing": False})
    scoped = {"typing": {"enabled": True, "lists": ["other"], "rooms": []}}
    assert (await sync(extensions=scoped))["extensions"] == {}


async def test_a_direct_chat_is_told_when_it_becomes_one(server: TestServer) -> None:
    alice = await server.register("alice")
    room_id = await alice.create_room()
    sync = Sliding(alice, lists={"all": a_list(), "dms": a_list(is_dm=True)})
    assert (await sync())["lists"]["dms"]["count"] == 0
    await alice.put(f"user/{alice.user_id}/account_data/m.direct", {"@bob:hs1": [room_id]})
    answer = await sync()
    assert (answer["lists"]["dms"]["count"], answer["rooms"][room_id]["is_dm"]) == (1, True)
    await alice.put(f"user/{alice.user_id}/account_data/m.direct", {})
    assert (await sync())["rooms"][room_id]["is_dm"] is False
