"""Presence."""

from pathlib import Path
from typing import Any

import pytest

from held_clock import HeldClock
from inprocess import Client, TestServer, make_config, running_server
from myelin.config.sections.messaging import Presence as PresenceConfig
from myelin.services.presence.presence import MAX_STATUS_BYTES, Presence


async def told(client: Client, since: str) -> tuple[dict[str, Any], str]:
    answer = await client.get("sync", since=since, set_presence="offline")
    events = answer.get("presence", {}).get("events", [])
    return {event["sender"]: event["content"] for event in events}, answer["next_batch"]


async def two(server: TestServer) -> tuple[Client, Client]:
    alice, bob = await server.register("alice"), await server.register("bob")
    room_id = await alice.create_room(preset="public_chat")
    await bob.post(f"join/{room_id}")
    return alice, bob


async def test_a_user_says_what_they_do(server_at: TestServer, clock: HeldClock) -> None:
    alice, bob = await two(server_at)
    path = f"presence/{bob.user_id}/status"
    since = (await alice.get("sync", set_presence="offline"))["next_batch"]
    assert await alice.get(path) == {"presence": "offline"}
    assert await bob.put(path, {"presence": "online", "status_msg": "I am here."}) == {}
    online = {"presence": "online", "last_active_ago": 0, "currently_active": True, "status_msg": "I am here."}
    assert await alice.get(path) == online
    found, since = await told(alice, since)
    assert found == {bob.user_id: online}
    clock.pass_ms(1500)
    assert (await alice.get(path))["last_active_ago"] == 1500
    assert (await told(alice, since))[0] == {}
    await bob.put(path, {"presence": "unavailable"})
    assert (await told(alice, since))[0] == {bob.user_id: {"presence": "unavailable", "last_active_ago": 1500}}


async def test_syncing_makes_online_and_time_makes_idle_and_offline(server_at: TestServer, clock: HeldClock) -> None:
    alice, bob = await two(server_at)
    presence = server_at.app.services[Presence]
    config = server_at.app.ground.config.presence
    path = f"presence/{bob.user_id}/status"
    await bob.get("sync")
    assert (await alice.get(path))["presence"] == "online"
    for _ in range(config.idle_after_ms // (config.offline_after_ms - 1) + 1):
        assert (await alice.get(path))["presence"] == "online"
        clock.pass_ms(config.offline_after_ms - 1)
        await bob.get("sync")
        presence.sweep()
    idle = await alice.get(path)
    assert idle["presence"] == "unavailable"
    assert config.idle_after_ms < idle["last_active_ago"] < config.idle_after_ms + config.offline_after_ms
    await bob.get("sync")
    assert (await alice.get(path))["presence"] == "unavailable"
    room_id = (await bob.get("joined_rooms"))["joined_rooms"][0]
    await bob.put(f"rooms/{room_id}/typing/{bob.user_id}", {"typing": True})
    assert (await alice.get(path))["presence"] == "online"
    clock.pass_ms(config.offline_after_ms + 1)
    presence.sweep()
    assert (await alice.get(path))["presence"] == "offline"
    await bob.get("sync", set_presence="unavailable")
    assert (await alice.get(path))["presence"] == "unavailable"
    await bob.get("sync")
    assert (await alice.get(path))["presence"] == "online"
    (await bob("GET", "sync", set_presence="dancing")).error(400, "M_INVALID_PARAM")


async def test_the_strongest_device_counts_and_busy_stays(server_at: TestServer) -> None:
    alice, bob = await two(server_at)
    tablet = await server_at.login("bob")
    path = f"presence/{bob.user_id}/status"
    await bob.get("sync")
    await tablet.get("sync", set_presence="unavailable")
    assert (await alice.get(path))["presence"] == "online"
    await tablet.put(path, {"presence": "busy"})
    await tablet.get("sync")
    # A state that the spec does not know yet, so its schema is not asked.
    assert (await alice.get(f"/_matrix/client/r0/{path}"))["presence"] == "busy"
    await tablet.put(path, {"presence": "offline"})
    assert (await alice.get(path))["presence"] == "online"


async def test_strangers_see_nothing(server: TestServer) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    since = (await alice.get("sync"))["next_batch"]
    await bob.put(f"presence/{bob.user_id}/status", {"presence": "online"})
    (await alice("GET", f"presence/{bob.user_id}/status")).error(403, "M_FORBIDDEN")
    (await alice("PUT", f"presence/{bob.user_id}/status", {"presence": "online"})).error(403, "M_FORBIDDEN")
    assert bob.user_id not in (await told(alice, since))[0]
    assert (await bob.get(f"presence/{bob.user_id}/status"))["presence"] == "online"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"presence": "dancing"},
        {"presence": 1},
        {"presence": "online", "status_msg": 1},
        {"presence": "online", "status_msg": "x" * (MAX_STATUS_BYTES + 1)},
        {"presence": "online", "status_msg": "\0"},
    ],
)
async def test_malformed_presence_is_refused(server_on_each: TestServer, body: dict) -> None:
    alice = await server_on_each.register("alice")
    assert (await alice("PUT", f"presence/{alice.user_id}/status", body)).status == 400
    await alice.put(f"presence/{alice.user_id}/status", {"presence": "online", "status_msg": "x" * MAX_STATUS_BYTES})


async def test_the_status_message_outlives_a_restart(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    async with running_server(config) as server:
        alice = await server.register("alice")
        await alice.put(f"presence/{alice.user_id}/status", {"presence": "online", "status_msg": "away"})
    async with running_server(config) as server:
        alice = await server.login("alice")
        path = f"presence/{alice.user_id}/status"
        assert await alice.get(path) == {"presence": "offline", "status_msg": "away"}
        await alice.put(path, {"presence": "unavailable"})
        assert await alice.get(path) == {"presence": "unavailable"}


async def test_it_can_be_switched_off(tmp_path: Path) -> None:
    async with running_server(make_config(tmp_path, presence=PresenceConfig(enabled=False))) as server:
        alice = await server.register("alice")
        await alice.put(f"presence/{alice.user_id}/status", {"presence": "online"})
        assert await alice.get(f"presence/{alice.user_id}/status") == {"presence": "offline"}
        assert "presence" not in await alice.get("sync")
