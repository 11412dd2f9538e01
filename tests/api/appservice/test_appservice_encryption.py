"""What encrypted bridges are sent beside events: to-device messages, device lists, counts of keys."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from appservice import Bridge, Ghost, bridged
from inprocess import Client
from myelin.matrix.unpadded_base64 import encode_base64

FIELDS = {"de.sorunome.msc2409.push_ephemeral": True, "org.matrix.msc3202": True, "io.element.msc4190": True}
KEY = "signed_curve25519"


@pytest.fixture
async def bridge(tmp_path: Path, database_url: str) -> AsyncIterator[Bridge]:
    async with bridged(tmp_path, FIELDS, database_url=database_url) as running:
        yield running


async def with_device(bridge: Bridge, name: str, device_id: str = "BRIDGE") -> Ghost:
    ghost = await bridge.ghost(name)
    await ghost.ok("PUT", f"devices/{device_id}", {"display_name": "Bridge"})
    return ghost


def device_keys(user_id: str, device_id: str) -> dict[str, Any]:
    return {
        "user_id": user_id,
        "device_id": device_id,
        "algorithms": ["m.olm.v1.curve25519-aes-sha2"],
        "keys": {f"curve25519:{device_id}": "a" * 43, f"ed25519:{device_id}": "b" * 43},
        "signatures": {user_id: {f"ed25519:{device_id}": "c" * 86}},
    }


def to_device(user_id: str, device_id: str, n: int = 0) -> dict[str, Any]:
    return {"messages": {user_id: {device_id: {"n": n}}}}


async def test_messages_for_its_devices_are_pushed_once(bridge: Bridge) -> None:
    ghost = await with_device(bridge, "irc_carol")
    alice = await bridge.server.register("alice")
    for n in range(3):
        await alice.put(f"sendToDevice/m.test/t{n}", to_device(ghost.user_id, "BRIDGE", n))
    appservice = bridge.appservice
    await appservice.until(lambda b: len(b.all_of("to_device")) == 3)
    assert [message["content"]["n"] for message in appservice.all_of("to_device")] == [0, 1, 2]
    assert appservice.all_of("to_device")[0] == {
        "type": "m.test",
        "sender": alice.user_id,
        "content": {"n": 0},
        "to_user_id": ghost.user_id,
        "to_device_id": "BRIDGE",
    }
    assert appservice.all_of("de.sorunome.msc2409.to_device") == appservice.all_of("to_device")
    await alice.put("sendToDevice/m.test/last", to_device(ghost.user_id, "BRIDGE", 9))
    await appservice.until(lambda b: len(b.all_of("to_device")) == 4)
    assert (await ghost.ok("GET", "sync", device_id="BRIDGE")).get("to_device", {}).get("events", []) == []


async def test_messages_of_more_than_one_transaction(bridge: Bridge) -> None:
    ghost = await with_device(bridge, "irc_carol")
    other = await with_device(bridge, "irc_dave", "OTHER")
    bridge.appservice.status = 500
    alice = await bridge.server.register("alice")
    for n in range(120):
        recipient = (ghost.user_id, "BRIDGE") if n % 2 else (other.user_id, "OTHER")
        await alice.put(f"sendToDevice/m.test/t{n}", to_device(*recipient, n))
    bridge.appservice.status = 200
    await bridge.appservice.until(lambda b: len(b.all_of("to_device")) >= 120)
    messages = bridge.appservice.all_of("to_device")
    for user_id, rest in ((other.user_id, 0), (ghost.user_id, 1)):
        numbers = [m["content"]["n"] for m in messages if m["to_user_id"] == user_id]
        assert numbers == list(range(rest, 120, 2))
    assert max(len(body.get("to_device", [])) for _, body in bridge.appservice.transactions) <= 100


async def test_messages_for_people_in_a_shared_namespace_stay_theirs(tmp_path: Path) -> None:
    namespaces = {"users": [{"exclusive": False, "regex": "@.*"}]}
    async with bridged(tmp_path, {**FIELDS, "namespaces": namespaces}) as bridge:
        alice, bob = await bridge.server.register("alice"), await bridge.server.register("bob")
        ghost = await with_device(bridge, "made")
        await alice.put("sendToDevice/m.test/1", to_device(bob.user_id, bob.device_id))
        await alice.put("sendToDevice/m.test/2", to_device(ghost.user_id, "BRIDGE", 2))
        await bridge.appservice.until(lambda b: b.all_of("to_device"))
        assert [m["content"]["n"] for m in bridge.appservice.all_of("to_device")] == [2]
        waiting = await bob.get("sync", timeout=0)
        assert [m["content"]["n"] for m in waiting["to_device"]["events"]] == [0]


def _counts(bridge: Any) -> list[Any]:
    return [
        body["device_one_time_keys_count"] for _, body in bridge.transactions if "device_one_time_keys_count" in body
    ]


async def test_counts_of_keys_follow_what_is_claimed(bridge: Bridge) -> None:
    ghost = await with_device(bridge, "irc_carol")
    alice = await bridge.server.register("alice")
    keys = {f"{KEY}:{n}": {"key": "k" * 43, "signatures": {}} for n in ("A", "B")}
    fallback = {f"{KEY}:F": {"key": "f" * 43, "fallback": True, "signatures": {}}}
    body = {
        "device_keys": device_keys(ghost.user_id, "BRIDGE"),
        "one_time_keys": keys,
        "fallback_keys": fallback,
    }
    uploaded = await ghost.ok("POST", "keys/upload", body, device_id="BRIDGE")
    assert uploaded["one_time_key_counts"][KEY] == 2
    claim = {"one_time_keys": {ghost.user_id: {"BRIDGE": KEY}}}
    await alice.post("keys/claim", claim)
    appservice = bridge.appservice
    await appservice.until(lambda b: {ghost.user_id: {"BRIDGE": {KEY: 1}}} in _counts(b))
    last = appservice.transactions[-1][1]
    assert last["device_unused_fallback_key_types"] == {ghost.user_id: {"BRIDGE": [KEY]}}
    assert last["org.matrix.msc3202.device_one_time_keys_count"] == last["device_one_time_keys_count"]
    for _ in range(2):
        await alice.post("keys/claim", claim)
    await appservice.until(
        lambda b: b.transactions[-1][1].get("device_unused_fallback_key_types") == {ghost.user_id: {"BRIDGE": []}}
    )


def _changed(bridge: Any) -> set[str]:
    return {u for _, body in bridge.transactions for u in body.get("device_lists", {}).get("changed", [])}


def _left(bridge: Any) -> set[str]:
    return {u for _, body in bridge.transactions for u in body.get("device_lists", {}).get("left", [])}


async def share(bridge: Bridge, alice: Client, ghost: Ghost) -> str:
    room_id = await alice.create_room(preset="public_chat")
    await ghost.join(room_id)
    return room_id


async def test_device_lists_of_who_shares_a_room(bridge: Bridge) -> None:
    ghost = await with_device(bridge, "irc_carol")
    alice, bob = await bridge.server.register("alice"), await bridge.server.register("bob")
    room_id = await share(bridge, alice, ghost)
    appservice = bridge.appservice
    await appservice.until(lambda b: alice.user_id in _changed(b))
    appservice.transactions.clear()
    await bob.post("keys/upload", {"device_keys": device_keys(bob.user_id, bob.device_id)})
    await alice.post("keys/upload", {"device_keys": device_keys(alice.user_id, alice.device_id)})
    await appservice.until(lambda b: alice.user_id in _changed(b))
    assert bob.user_id not in _changed(appservice)
    await bob.post(f"join/{room_id}")
    await appservice.until(lambda b: bob.user_id in _changed(b))
    await bob.post(f"rooms/{room_id}/leave")
    await appservice.until(lambda b: _left(b) == {bob.user_id})


async def test_only_who_asks_for_it_is_told_of_devices(tmp_path: Path) -> None:
    async with bridged(tmp_path, {"receive_ephemeral": True}) as bridge:
        ghost = await with_device(bridge, "irc_carol")
        alice = await bridge.server.register("alice")
        room_id = await share(bridge, alice, ghost)
        await alice.post("keys/upload", {"device_keys": device_keys(alice.user_id, alice.device_id)})
        await alice.put("sendToDevice/m.test/1", to_device(ghost.user_id, "BRIDGE"))
        await bridge.appservice.gets(await alice.send(room_id, "hello"))
        await bridge.appservice.until(lambda b: b.all_of("to_device"))
        told = {name for _, body in bridge.appservice.transactions for name in body}
        assert told <= {
            "events",
            "ephemeral",
            "de.sorunome.msc2409.ephemeral",
            "to_device",
            "de.sorunome.msc2409.to_device",
        }


async def test_cross_signing_keys_are_replaced_without_a_password(bridge: Bridge) -> None:
    ghost = await with_device(bridge, "irc_carol")
    for n in (1, 2):
        public = encode_base64(bytes([n]) * 32)
        key = {"user_id": ghost.user_id, "usage": ["master"], "keys": {f"ed25519:{public}": public}}
        await ghost.ok("POST", "keys/device_signing/upload", {"master_key": key}, device_id="BRIDGE")
