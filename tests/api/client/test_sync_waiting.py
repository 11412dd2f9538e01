"""Long polls: what wakes them, what does not, and how they end."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from inprocess import Client, TestServer
from myelin.services.rooms.cache import Rooms
from myelin.services.sync.waiting import Waiting
from polling import DEADLINE_S
from syncing import QUIET, Syncing, bodies, has_news, public_room, set_state, until, woken

Act = Callable[[Client, Client, str], Awaitable[object]]

NEWS: dict[str, Act] = {
    "a message": lambda alice, bob, room: alice.send(room, "hello"),
    "state": lambda alice, bob, room: set_state(alice, room, "m.room.topic", {"topic": "x"}),
    "a join": lambda alice, bob, room: alice.put(f"profile/{alice.user_id}/displayname", {"displayname": "A"}),
    "a kick": lambda alice, bob, room: alice.post(f"rooms/{room}/kick", {"user_id": bob.user_id}),
    "an invite": lambda alice, bob, room: alice.create_room(invite=[bob.user_id]),
    "typing": lambda alice, bob, room: alice.put(f"rooms/{room}/typing/{alice.user_id}", {"typing": True}),
    "account data": lambda alice, bob, room: bob.put(f"user/{bob.user_id}/account_data/a.b", {}),
    "room account data": lambda alice, bob, room: bob.put(f"user/{bob.user_id}/rooms/{room}/account_data/a.b", {}),
    "a tag": lambda alice, bob, room: bob.put(f"user/{bob.user_id}/rooms/{room}/tags/u.x", {}),
    "push rules": lambda alice, bob, room: bob.put(f"pushrules/global/room/{room}", {"actions": []}),
    "presence": lambda alice, bob, room: alice.put(
        f"presence/{alice.user_id}/status", {"presence": "online", "status_msg": "x"}
    ),
    "a message to the device": lambda alice, bob, room: alice.put(
        "sendToDevice/m.x/1", {"messages": {bob.user_id: {"*": {}}}}
    ),
}


async def last_event(client: Client, room_id: str) -> str:
    """The newest message's ID."""
    page = await client.get(f"rooms/{room_id}/messages", dir="b", limit=1)
    return str(page["chunk"][0]["event_id"])


@pytest.mark.parametrize("kind", NEWS)
async def test_every_kind_of_news_wakes_a_poll(server: TestServer, kind: str) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    room_id = await public_room(alice, bob)
    sync = Syncing(bob, QUIET if kind != "presence" else None)
    await sync()
    poll = await sync.poll(server)
    await NEWS[kind](alice, bob, room_id)
    assert has_news(await woken(poll))


async def test_a_receipt_wakes_a_poll(server: TestServer) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    room_id = await public_room(alice, bob)
    await alice.send(room_id, "hello")
    sync = Syncing(bob, QUIET)
    await sync()
    poll = await sync.poll(server)
    await alice.post(f"rooms/{room_id}/receipt/m.read/{await last_event(alice, room_id)}")
    assert has_news(await woken(poll))


async def test_what_is_not_for_the_user_wakes_nobody(server: TestServer) -> None:
    alice, bob, eve = [await server.register(name) for name in ("alice", "bob", "eve")]
    room_id = await public_room(alice, bob)
    sent = await alice.send(room_id, "hello")
    other = await public_room(alice, eve)
    ignored = f"user/{bob.user_id}/account_data/m.ignored_user_list"
    await bob.put(ignored, {"ignored_users": {eve.user_id: {}}})
    sync = Syncing(bob, QUIET)
    await sync()
    poll = await sync.poll(server)
    waiting = server.app.services[Waiting]
    await alice.send(other, "elsewhere")
    await alice.put(f"rooms/{other}/typing/{alice.user_id}", {"typing": True})
    await alice.put(f"user/{alice.user_id}/account_data/a.b", {})
    await alice.post(f"rooms/{room_id}/receipt/m.read.private/{sent}")
    await eve.put("sendToDevice/m.x/1", {"messages": {alice.user_id: {"*": {}}}})
    await eve.create_room(invite=[bob.user_id])
    await until(lambda: bob.user_id in waiting.users)
    assert not poll.done()
    await alice.send(room_id, "now")
    assert bodies((await woken(poll))["rooms"]["join"][room_id]) == ["now"]


async def test_the_time_ends_with_a_token_that_goes_on(server_on_each: TestServer) -> None:
    alice, bob = await server_on_each.register("alice"), await server_on_each.register("bob")
    room_id = await public_room(alice, bob)
    sync = Syncing(bob, QUIET)
    await sync()
    await sync()
    since = sync.since
    begin = time.monotonic()
    assert not has_news(await sync(timeout_ms=200))
    assert time.monotonic() - begin >= 0.2
    assert sync.since == since
    assert not has_news(await sync(timeout_ms=0))
    await alice.send(room_id, "later")
    assert bodies(await sync.joined(room_id)) == ["later"]


async def test_all_devices_of_a_user_are_woken(server: TestServer) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    room_id = await public_room(alice, bob)
    devices = [Syncing(await server.login("bob"), QUIET) for _ in range(3)]
    for sync in devices:
        await sync()
    polls = [await sync.poll(server) for sync in devices]
    await alice.send(room_id, "hello")
    for poll in polls:
        assert bodies((await woken(poll))["rooms"]["join"][room_id]) == ["hello"]


async def test_a_client_that_goes_away_does_not_wait_on(server: TestServer) -> None:
    alice = await server.register("alice")
    sync = Syncing(alice)
    await sync()
    waiting = server.app.services[Waiting]
    poll = await sync.poll(server)
    await until(lambda: alice.user_id in waiting.users)
    poll.cancel()
    await until(lambda: alice.user_id not in waiting.users)
    await alice.put(f"user/{alice.user_id}/account_data/a.b", {"n": 1})
    answer = await sync()
    assert answer["account_data"]["events"][0]["content"] == {"n": 1}


async def test_who_is_logged_out_hears_nothing_more(server: TestServer) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    phone = await server.login("bob")
    room_id = await public_room(alice, bob)
    gone, stays = Syncing(phone, QUIET), Syncing(bob, QUIET)
    await gone()
    await stays()
    poll = await gone.poll(server)
    await phone.post("logout")
    answer = await woken(poll)
    assert "rooms" not in answer
    await alice.send(room_id, "secret")
    (await phone("GET", "sync", since=gone.since)).error(401, "M_UNKNOWN_TOKEN")
    assert bodies(await stays.joined(room_id)) == ["secret"]


async def test_a_server_that_stops_answers_who_waits(server: TestServer) -> None:
    alice = await server.register("alice")
    sync = Syncing(alice)
    await sync()
    since = sync.since
    poll = await sync.poll(server)
    waiting = server.app.services[Waiting]
    await until(lambda: alice.user_id in waiting.users)
    stopping = asyncio.ensure_future(waiting.until_stopped())
    await asyncio.sleep(0)
    stopping.cancel()
    assert not has_news(await woken(poll))
    assert sync.since == since


async def test_a_room_that_falls_out_of_memory_still_wakes_who_waits(server_on_each: TestServer) -> None:
    alice, bob = await server_on_each.register("alice"), await server_on_each.register("bob")
    room_id = await public_room(alice, bob)
    sync = Syncing(bob, QUIET)
    await sync()
    rooms = server_on_each.app.services[Rooms]
    for act in ("message", "typing", "receipt"):
        sent = await last_event(alice, room_id)
        await sync()
        poll = await sync.poll(server_on_each)
        rooms.drop(room_id)
        if act == "message":
            await alice.send(room_id, "hello")
        elif act == "typing":
            await alice.put(f"rooms/{room_id}/typing/{alice.user_id}", {"typing": True})
        else:
            await alice.post(f"rooms/{room_id}/receipt/m.read/{sent}")
        assert has_news(await woken(poll)), act


async def test_news_between_two_polls_are_not_lost(server: TestServer) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    room_id = await public_room(alice, bob)
    sync = Syncing(bob, {"presence": {"types": []}})
    await sync()
    heard: list[str] = []

    async def listen() -> None:
        while len(heard) < 40:
            answer = await sync(timeout_ms=20_000)
            heard.extend(bodies(answer["rooms"]["join"][room_id]) if "rooms" in answer else [])

    listening = asyncio.ensure_future(listen())
    sent = [f"{number}" for number in range(40)]
    for text in sent:
        await alice.send(room_id, text)
    await asyncio.wait_for(listening, DEADLINE_S)
    assert heard == sent
