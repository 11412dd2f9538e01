"""To-device messages, device lists and key counts in sync answers."""

from pathlib import Path
from typing import Any

import pytest

from inprocess import Client, TestServer, make_config, running_server
from myelin.services.rooms.cache import Rooms
from myelin.services.sync.answers import MAX_TO_DEVICE
from olm_keys import OlmDevice
from polling import until
from syncing import QUIET, Syncing, has_news, public_room, woken


def messages(answer: Any) -> list[Any]:
    """What arrived for the device."""
    return [e["content"]["n"] for e in answer.get("to_device", {"events": []})["events"]]


async def send_to(sender: Client, device: Client, *numbers: int) -> None:
    """Send numbered messages to a device."""
    for number in numbers:
        body = {"messages": {device.user_id: {device.device_id: {"n": number}}}}
        await sender.put(f"sendToDevice/m.test/{sender.device_id}{number}", body)


def devices(answer: Any) -> tuple[set[str], set[str]]:
    """Whose devices changed, and who has gone out of sight."""
    lists = answer.get("device_lists", {})
    return set(lists.get("changed", ())), set(lists.get("left", ()))


async def upload(client: Client, seed: int = 1) -> None:
    """Upload the device's keys."""
    await client.post("keys/upload", {"device_keys": OlmDevice(client.user_id, client.device_id, seed).keys})


async def test_messages_come_until_the_next_token_says_that_they_arrived(server_on_each: TestServer) -> None:
    alice, bob = await server_on_each.register("alice"), await server_on_each.register("bob")
    tablet = await server_on_each.login("bob")
    sync, other = Syncing(bob), Syncing(tablet)
    await send_to(alice, bob, 0)
    first = await sync()
    assert messages(first) == [0]
    assert first["to_device"]["events"][0] == {"content": {"n": 0}, "sender": alice.user_id, "type": "m.test"}
    since = sync.since
    assert messages(await sync()) == []
    await send_to(alice, bob, 1, 2)
    assert messages(await sync()) == [1, 2]
    # The answer was lost, and with it the new token.
    assert messages(await sync(since=since)) == [1, 2]
    assert messages(await sync()) == []
    assert messages(await sync(since=since)) == []
    assert messages(await Syncing(bob)()) == []
    assert messages(await other()) == []


async def test_messages_wait_for_a_device_that_has_never_synced(server_on_each: TestServer) -> None:
    alice, bob = await server_on_each.register("alice"), await server_on_each.register("bob")
    await send_to(alice, bob, 1, 2)
    for _ in range(2):
        sync = Syncing(bob)
        assert messages(await sync()) == [1, 2]
    assert messages(await sync()) == []


async def test_more_messages_than_fit_follow_in_order_beside_everything_else(server_on_each: TestServer) -> None:
    alice, bob = await server_on_each.register("alice"), await server_on_each.register("bob")
    sync = Syncing(bob)
    await sync()
    count = 2 * MAX_TO_DEVICE + 1
    await send_to(alice, bob, *range(count))
    room_id = await public_room(alice, bob)
    sent = await alice.send(room_id, "hello")
    answer = await sync()
    # What happened in rooms does not wait until all messages have been delivered.
    assert answer["rooms"]["join"][room_id]["timeline"]["events"][-1]["event_id"] == sent
    assert messages(answer) == list(range(MAX_TO_DEVICE))
    repeated = sync.since
    assert messages(await sync(timeout_ms=30_000)) == list(range(MAX_TO_DEVICE, 2 * MAX_TO_DEVICE))
    answer = await sync(since=repeated)
    assert messages(answer) == list(range(MAX_TO_DEVICE, 2 * MAX_TO_DEVICE))
    assert "rooms" not in answer
    assert messages(await sync(timeout_ms=30_000)) == [count - 1]
    assert not has_news(await sync())


async def test_undelivered_messages_outlive_the_process(tmp_path: Path, database_url: str) -> None:
    config = make_config(tmp_path, database_url)
    async with running_server(config) as server:
        alice, bob = await server.register("alice"), await server.register("bob")
        sync = Syncing(bob)
        await sync()
        await send_to(alice, bob, 1)
        await sync()
        await send_to(alice, bob, 2)
    async with running_server(config) as server:
        sync.client = Client(server.session, server.base, bob.token, bob.user_id, bob.device_id)
        assert messages(await sync()) == [2]
        assert messages(await sync()) == []


async def test_a_poll_is_woken_by_a_message_for_its_device(server: TestServer) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    tablet = await server.login("bob")
    sync, other = Syncing(bob, QUIET), Syncing(tablet, QUIET)
    await sync()
    await other()
    poll, waiting = await sync.poll(server), await other.poll(server)
    await send_to(alice, bob, 1)
    assert messages(await woken(poll)) == [1]
    assert not waiting.done()
    await send_to(alice, tablet, 2)
    assert messages(await woken(waiting)) == [2]


async def test_a_first_sync_has_no_device_lists(server: TestServer) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    await public_room(alice, bob)
    await upload(bob)
    assert "device_lists" not in await Syncing(alice)()


async def test_new_keys_are_told_to_who_shares_a_room_and_to_oneself(server_on_each: TestServer) -> None:
    alice, bob, eve = [await server_on_each.register(name) for name in ("alice", "bob", "eve")]
    await public_room(alice, bob)
    syncs = [Syncing(client, QUIET) for client in (alice, bob, eve)]
    for sync in syncs:
        await sync()
    polls = [await sync.poll(server_on_each) for sync in syncs[:2]]
    await upload(bob)
    for poll in polls:
        assert devices(await woken(poll)) == ({bob.user_id}, set())
    assert devices(await syncs[2]()) == (set(), set())
    for sync in syncs:
        assert devices(await sync()) == (set(), set())


async def test_who_comes_and_goes_is_to_be_tracked_or_not(server_on_each: TestServer) -> None:
    alice, bob, carol = [await server_on_each.register(name) for name in ("alice", "bob", "carol")]
    room_id = await public_room(alice, carol)
    alices, bobs = Syncing(alice), Syncing(bob)
    await alices()
    await bobs()
    await bob.post(f"join/{room_id}")
    assert devices(await alices()) == ({bob.user_id}, set())
    assert devices(await bobs()) == ({alice.user_id, carol.user_id}, set())
    # A new name changes nothing about keys.
    await bob.put(f"profile/{bob.user_id}/displayname", {"displayname": "Bobby"})
    assert devices(await alices()) == (set(), set())
    other = await public_room(alice, bob)
    assert devices(await alices()) in ((set(), set()), ({bob.user_id}, set()))
    await bobs()
    await bob.post(f"rooms/{other}/leave")
    assert devices(await alices()) == (set(), set())
    await bob.post(f"rooms/{room_id}/leave")
    assert devices(await alices()) == (set(), {bob.user_id})
    assert devices(await bobs()) == (set(), {alice.user_id, carol.user_id})
    await upload(bob)
    assert devices(await alices()) == (set(), set())
    assert devices(await bobs()) == ({bob.user_id}, set())


async def test_who_leaves_hears_nothing_of_who_came_afterwards(server_on_each: TestServer) -> None:
    alice, bob, carol = [await server_on_each.register(name) for name in ("alice", "bob", "carol")]
    room_id = await public_room(alice, bob)
    sync = Syncing(bob)
    await sync()
    await alice.post(f"rooms/{room_id}/kick", {"user_id": bob.user_id})
    await carol.post(f"join/{room_id}")
    assert devices(await sync()) == (set(), {alice.user_id})


async def test_comings_and_goings_are_found_in_the_database_where_memory_does_not_reach(
    server_on_each: TestServer,
) -> None:
    alice, bob, carol, dave = [await server_on_each.register(name) for name in ("alice", "bob", "carol", "dave")]
    room_id = await public_room(alice, bob, dave)
    sync = Syncing(alice)
    await sync()
    await bob.post(f"rooms/{room_id}/leave")
    await carol.post(f"join/{room_id}")
    await dave.put(f"profile/{dave.user_id}/displayname", {"displayname": "David"})
    for number in range(30):
        await alice.send(room_id, str(number))
    server_on_each.app.services[Rooms].drop(room_id)
    assert devices(await sync()) == ({carol.user_id}, {bob.user_id})


@pytest.mark.parametrize("filler", [0, 30])
async def test_who_is_invited_has_keys_to_fetch(server_on_each: TestServer, filler: int) -> None:
    alice, bob = await server_on_each.register("alice"), await server_on_each.register("bob")
    room_id = await alice.create_room()
    sync = Syncing(alice)
    await sync()
    await alice.post(f"rooms/{room_id}/invite", {"user_id": bob.user_id})
    for number in range(filler):
        await alice.send(room_id, str(number))
    if filler:
        server_on_each.app.services[Rooms].drop(room_id)
    assert (await sync())["device_lists"] == {"changed": [bob.user_id]}
    await bob.post(f"rooms/{room_id}/leave")
    assert devices(await sync()) == (set(), set())


async def test_a_new_device_is_a_change(server: TestServer) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    await public_room(alice, bob)
    sync = Syncing(alice)
    await sync()
    await server.login("bob")
    assert devices(await sync()) == ({bob.user_id}, set())


async def test_key_counts_are_in_every_answer_and_are_news(server_on_each: TestServer) -> None:
    alice, bob = await server_on_each.register("alice"), await server_on_each.register("bob")
    device = OlmDevice(bob.user_id, bob.device_id)
    sync = Syncing(bob)
    await sync()
    keys = {"device_keys": device.keys, "one_time_keys": device.one_time_keys("A", "B")}
    await bob.post("keys/upload", {**keys, "fallback_keys": device.one_time_keys("F", fallback=True)})
    answer = await sync()
    assert answer["device_one_time_keys_count"] == {"signed_curve25519": 2}
    assert answer["device_unused_fallback_key_types"] == ["signed_curve25519"]
    claim = {"one_time_keys": {bob.user_id: {bob.device_id: "signed_curve25519"}}}
    poll = await sync.poll(server_on_each)
    await alice.post("keys/claim", claim)
    answer = await woken(poll)
    assert not has_news(answer)
    assert answer["device_one_time_keys_count"] == {"signed_curve25519": 1}
    await alice.post("keys/claim", claim)
    await alice.post("keys/claim", claim)

    async def all_used() -> bool:
        answer = await sync()
        names = ("device_one_time_keys_count", "device_unused_fallback_key_types")
        return [answer[name] for name in names] == [{"signed_curve25519": 0}, []]

    # Who claims a key does not wait until its owner is told.
    await until(all_used)
