"""Typing notifications."""

import asyncio

from held_clock import HeldClock
from inprocess import Client, TestServer
from myelin.services.typing.typing_users import MAX_TIMEOUT_MS, TypingUsers

LONG_MS = 30_000
"""A poll that ends by itself only when the test has failed."""


async def typing_in(client: Client, room_id: str, since: str, wait_ms: int = 0) -> tuple[list[str] | None, str]:
    answer = await client.get("sync", since=since, timeout=wait_ms)
    events = answer.get("rooms", {}).get("join", {}).get(room_id, {}).get("ephemeral", {}).get("events", [])
    found = [e["content"]["user_ids"] for e in events if e["type"] == "m.typing"]
    return found[0] if found else None, answer["next_batch"]


async def test_others_see_who_types_until_they_stop_or_the_time_is_over(
    server_at: TestServer, clock: HeldClock
) -> None:
    alice, bob = await server_at.register("alice"), await server_at.register("bob")
    room_id = await alice.create_room(preset="public_chat")
    await bob.post(f"join/{room_id}")
    typing = server_at.app.services[TypingUsers]
    since = (await alice.get("sync"))["next_batch"]
    path = f"rooms/{room_id}/typing/{bob.user_id}"
    assert await bob.put(path, {"typing": True, "timeout": 5000}) == {}
    found, since = await typing_in(alice, room_id, since)
    assert found == [bob.user_id]
    await bob.put(path, {"typing": True, "timeout": 5000})
    assert (await typing_in(alice, room_id, since))[0] is None
    await bob.put(path, {"typing": False})
    found, since = await typing_in(alice, room_id, since)
    assert found == []
    await bob.put(path, {"typing": True, "timeout": MAX_TIMEOUT_MS * 10})
    found, since = await typing_in(alice, room_id, since)
    assert found == [bob.user_id]
    clock.pass_ms(MAX_TIMEOUT_MS - 1)
    typing.sweep()
    assert (await typing_in(alice, room_id, since))[0] is None
    clock.pass_ms(1)
    typing.sweep()
    assert (await typing_in(alice, room_id, since))[0] == []


async def test_a_waiting_sync_is_woken_when_somebody_types_and_when_the_time_is_over(server: TestServer) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    room_id = await alice.create_room(preset="public_chat")
    await bob.post(f"join/{room_id}")
    since = (await alice.get("sync"))["next_batch"]
    path = f"rooms/{room_id}/typing/{bob.user_id}"
    waiting = asyncio.ensure_future(typing_in(alice, room_id, since, wait_ms=LONG_MS))
    await bob.put(path, {"typing": True, "timeout": MAX_TIMEOUT_MS})
    found, since = await waiting
    assert found == [bob.user_id]
    waiting = asyncio.ensure_future(typing_in(alice, room_id, since, wait_ms=LONG_MS))
    await bob.put(path, {"typing": True, "timeout": 100})
    assert (await waiting)[0] == []


async def test_who_leaves_does_not_type_any_more(server: TestServer) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    room_id = await alice.create_room(preset="public_chat")
    await bob.post(f"join/{room_id}")
    await bob.put(f"rooms/{room_id}/typing/{bob.user_id}", {"typing": True})
    since = (await alice.get("sync"))["next_batch"]
    await bob.post(f"rooms/{room_id}/leave")
    assert (await typing_in(alice, room_id, since))[0] == []


async def test_only_members_type_and_only_for_themselves(server: TestServer) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    room_id = await alice.create_room()
    (await bob("PUT", f"rooms/{room_id}/typing/{bob.user_id}", {"typing": True})).error(403, "M_FORBIDDEN")
    (await bob("PUT", f"rooms/{room_id}/typing/{bob.user_id}", {"typing": False})).error(403, "M_FORBIDDEN")
    (await alice("PUT", f"rooms/{room_id}/typing/{bob.user_id}", {"typing": True})).error(403, "M_FORBIDDEN")
    path = f"rooms/{room_id}/typing/{alice.user_id}"
    (await alice("PUT", path, {})).error(400, "M_MISSING_PARAM")
    (await alice("PUT", path, {"typing": "yes"})).error(400, "M_BAD_JSON")
    (await alice("PUT", path, {"typing": True, "timeout": "x"})).error(400, "M_BAD_JSON")
    assert await alice.put(path, {"typing": True, "timeout": -5}) == {}
