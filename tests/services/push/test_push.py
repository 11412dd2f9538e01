"""Notifications reach a real gateway."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from held_clock import HeldClock
from inprocess import Client, TestServer, make_config, running_server
from myelin.config.config import Config
from myelin.config.sections.messaging import Push
from myelin.services.push import deliveries, push_loop
from myelin.store.pushers import PusherStore
from polling import until
from push_gateway import Gateway, push_gateway, pusher, set_pusher


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries and take-overs in a fraction of a second."""
    monkeypatch.setattr(deliveries, "FIRST_RETRY_S", 0.02)
    monkeypatch.setattr(deliveries, "LAST_RETRY_S", 0.1)
    monkeypatch.setattr(push_loop, "TAKE_EVERY_S", 0.05)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> str:
    return request.getfixturevalue("postgres_url") if request.param == "postgres" else ""


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with push_gateway() as running:
        yield running


def config_of(folder: Path, url: str = "", **push: Any) -> Config:
    return make_config(folder, url, push=Push(deny_private_addresses=False, **push))


class Scene:
    """Alice and Bob in a room; Bob has a phone."""

    def __init__(self, server: TestServer, alice: Client, bob: Client, room_id: str) -> None:
        self.server, self.alice, self.bob, self.room_id = server, alice, bob, room_id

    async def say(self, text: Any, **kind: str) -> str:
        return await self.alice.send(self.room_id, text, **kind)

    async def read(self, event_id: str) -> None:
        await self.bob.post(f"rooms/{self.room_id}/receipt/m.read/{event_id}")


async def set_scene(server: TestServer, **room: Any) -> Scene:
    alice, bob = await server.register("alice"), await server.register("bob")
    await alice.put(f"profile/{alice.user_id}/displayname", {"displayname": "Alice"})
    room_id = await alice.create_room(
        **{"preset": "public_chat", "name": "Cellar", "room_alias_name": "cellar", **room}
    )
    await bob.post(f"join/{room_id}")
    return Scene(server, alice, bob, room_id)


@contextlib.asynccontextmanager
async def scene_on(config: Config, **room: Any) -> AsyncIterator[Scene]:
    async with running_server(config) as server:
        yield await set_scene(server, **room)


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with scene_on(config_of(tmp_path)) as made:
        yield made


async def test_a_message_is_notified(tmp_path: Path, database_url: str, gateway: Gateway) -> None:
    async with scene_on(config_of(tmp_path, database_url)) as scene:
        await set_pusher(scene.bob, gateway, data={"custom": 1})
        event_id = await scene.say("hello")
        sent = await gateway.next()
        ts = sent["devices"][0].pop("pushkey_ts")
        assert ts < 10**11
        tweaks = {"tweaks": {"sound": "default"}}
        assert sent == {
            "event_id": event_id,
            "id": event_id,
            "room_id": scene.room_id,
            "type": "m.room.message",
            "sender": scene.alice.user_id,
            "sender_display_name": "Alice",
            "room_name": "Cellar",
            "room_alias": "#cellar:hs1",
            "prio": "high",
            "content": {"msgtype": "m.text", "body": "hello"},
            "counts": {"unread": 1},
            "devices": [{"app_id": "org.example.app", "pushkey": "key", "data": {"custom": 1}} | tweaks],
        }
        await scene.say("again")
        assert (await gateway.next(2))["counts"] == {"unread": 2}


async def test_only_ids_are_sent_where_the_client_wants_it(scene: Scene, gateway: Gateway) -> None:
    await set_pusher(scene.bob, gateway, data={"format": "event_id_only"})
    event_id = await scene.say({"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "x"}, event_type="m.room.encrypted")
    sent = await gateway.next()
    assert sorted(sent) == ["counts", "devices", "event_id", "prio", "room_id"]
    assert (sent["event_id"], sent["prio"]) == (event_id, "high")
    assert sent["devices"][0]["data"] == {"format": "event_id_only"}


async def test_content_stays_here_where_the_config_says_so(tmp_path: Path, gateway: Gateway) -> None:
    async with scene_on(config_of(tmp_path, include_content=False)) as scene:
        await set_pusher(scene.bob, gateway)
        await scene.say("secret")
        sent = await gateway.next()
        assert "content" not in sent
        assert sent["type"] == "m.room.message"


async def test_a_mention_has_sound_and_stands_out(scene: Scene, gateway: Gateway) -> None:
    await set_pusher(scene.bob, gateway)
    await scene.say({"msgtype": "m.text", "body": "you", "m.mentions": {"user_ids": [scene.bob.user_id]}})
    sent = await gateway.next()
    assert sent["prio"] == "high"
    assert sent["devices"][0]["tweaks"] == {"sound": "default", "highlight": True}


async def test_an_invitation_is_notified(scene: Scene, gateway: Gateway) -> None:
    await set_pusher(scene.bob, gateway)
    room_id = await scene.alice.create_room(name="Attic")
    await scene.alice.post(f"rooms/{room_id}/invite", {"user_id": scene.bob.user_id})
    sent = await gateway.next()
    assert (sent["type"], sent["user_is_target"], sent["room_name"]) == ("m.room.member", True, "Attic")
    assert sent["content"]["membership"] == "invite"


async def test_muted_rooms_ignored_users_and_own_messages_are_not_notified(scene: Scene, gateway: Gateway) -> None:
    await set_pusher(scene.bob, gateway)
    carol = await scene.server.register("carol")
    await carol.post(f"join/{scene.room_id}")
    mute = {"actions": [], "conditions": [{"kind": "event_match", "key": "room_id", "pattern": scene.room_id}]}
    await scene.bob.put("pushrules/global/override/mute", mute)
    other = await scene.alice.create_room(preset="public_chat")
    await scene.bob.post(f"join/{other}")
    await scene.say("muted")
    await scene.alice.send(other, "not muted")
    assert (await gateway.next())["room_id"] == other
    await scene.bob("DELETE", "pushrules/global/override/mute")
    await scene.bob.put(
        f"user/{scene.bob.user_id}/account_data/m.ignored_user_list", {"ignored_users": {carol.user_id: {}}}
    )
    await carol.send(scene.room_id, "ignored")
    await scene.bob.send(scene.room_id, "own")
    seen = await scene.say("heard")
    await gateway.until(lambda got: len(got.events) >= 2)
    assert gateway.events[1:] == [seen]


async def test_reading_clears_the_badge(tmp_path: Path, database_url: str, gateway: Gateway) -> None:
    async with scene_on(config_of(tmp_path, database_url)) as scene:
        await set_pusher(scene.bob, gateway)
        await scene.say("one")
        last = await scene.say("two")
        await gateway.next(2)
        await scene.read(last)
        sent = await gateway.next(3)
        assert (sent["counts"], sent["prio"], "event_id" in sent) == ({"unread": 0}, "low", False)
        assert "tweaks" not in sent["devices"][0]
        await scene.say("three")
        assert (await gateway.next(4))["counts"] == {"unread": 1}
        await scene.bob.send(scene.room_id, "an answer")
        assert (await gateway.next(5))["counts"] == {"unread": 0}


async def test_missed_calls_are_counted_until_they_are_read(scene: Scene, gateway: Gateway) -> None:
    await set_pusher(scene.bob, gateway)
    call = {"call_id": "c", "party_id": "p", "version": "1", "lifetime": 60_000, "offer": {"type": "offer", "sdp": ""}}
    await scene.say("pick up")
    called = await scene.say(call, event_type="m.call.invite")
    sent = await gateway.next(2)
    assert sent["counts"] == {"unread": 2, "missed_calls": 1}
    assert sent["devices"][0]["tweaks"]["sound"] == "ring"
    await scene.read(called)
    assert (await gateway.next(3))["counts"] == {"unread": 0}


async def test_leaving_a_room_clears_its_part_of_the_badge(scene: Scene, gateway: Gateway) -> None:
    await set_pusher(scene.bob, gateway)
    other = await scene.alice.create_room(preset="public_chat")
    await scene.bob.post(f"join/{other}")
    await scene.say("here")
    await scene.alice.send(other, "there")
    assert (await gateway.next(2))["counts"] == {"unread": 2}
    await scene.bob.post(f"rooms/{other}/leave")
    assert (await gateway.next(3))["counts"] == {"unread": 1}


async def test_rejected_keys_are_removed(scene: Scene, gateway: Gateway) -> None:
    await set_pusher(scene.bob, gateway, "bad")
    await set_pusher(scene.bob, gateway, "good")
    gateway.rejected = ["bad"]
    await scene.say("hello")
    await gateway.next(2)

    async def is_removed() -> bool:
        return [p["pushkey"] for p in (await scene.bob.get("pushers"))["pushers"]] == ["good"]

    await until(is_removed)
    gateway.received.clear()
    await scene.say("again")
    sent = await gateway.next()
    assert [device["pushkey"] for device in sent["devices"]] == ["good"]


async def test_what_a_gateway_missed_is_sent_again_in_order(scene: Scene, gateway: Gateway) -> None:
    await set_pusher(scene.bob, gateway)
    gateway.status = 502
    events = [await scene.say(f"m{i}") for i in range(5)]
    await gateway.until(lambda seen: seen.attempts >= 3)
    assert gateway.received == []
    gateway.status = 200
    await gateway.next(5)
    assert gateway.events == events


async def test_old_notifications_are_given_up(tmp_path: Path, gateway: Gateway) -> None:
    clock = HeldClock()
    async with running_server(config_of(tmp_path), clock) as server:
        scene = await set_scene(server)
        await set_pusher(scene.bob, gateway)
        gateway.status = 500
        await scene.say("old")
        await gateway.until(lambda seen: seen.attempts >= 1)
        clock.pass_ms(deliveries.GIVE_UP_MS - 1)
        attempts = gateway.attempts
        await gateway.until(lambda seen: seen.attempts > attempts + 1)
        clock.pass_ms(2)
        await until_nothing_waits(server)
        gateway.status = 200
        new = await scene.say("new")
        await gateway.next()
        assert gateway.events == [new]


async def until_nothing_waits(server: TestServer) -> None:
    store = PusherStore(server.app.ground.database)

    async def is_empty() -> bool:
        return not await store.waiting()

    await until(is_empty)


async def test_more_news_than_are_held_in_memory_are_read_back(
    scene: Scene, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(push_loop, "MAX_HEARD", 1)
    monkeypatch.setattr(push_loop, "READ_AT_ONCE", 2)
    monkeypatch.setattr(push_loop, "MAX_QUEUED_AT_ONCE", 2)
    await set_pusher(scene.bob, gateway)
    await asyncio.gather(*(scene.say(f"m{i}") for i in range(9)))
    await gateway.next(9)
    chunk = (await scene.bob.get(f"rooms/{scene.room_id}/messages", dir="b", limit=9))["chunk"]
    assert gateway.events == [event["event_id"] for event in reversed(chunk)]


async def test_a_gateway_that_hangs_delays_nobody_else(scene: Scene, gateway: Gateway) -> None:
    async with push_gateway() as hanging:
        hanging.hold = asyncio.Event()
        await set_pusher(scene.bob, hanging, "hangs")
        await set_pusher(scene.bob, gateway, "works")
        events = [await scene.say(f"m{i}") for i in range(3)]
        await gateway.next(3)
        assert gateway.events == events
        assert hanging.received == []


async def test_a_redirect_is_not_followed(scene: Scene, gateway: Gateway) -> None:
    async with push_gateway() as elsewhere:
        gateway.redirect_to = elsewhere.url
        await set_pusher(scene.bob, gateway)
        await scene.say("hello")
        await gateway.until(lambda seen: seen.attempts >= 2)
        assert elsewhere.attempts == 0


async def test_private_addresses_are_not_connected_to(tmp_path: Path, gateway: Gateway) -> None:
    async with scene_on(make_config(tmp_path)) as scene:
        port = gateway.url.split(":")[2]
        for i, host in enumerate(("127.0.0.1", "localhost", "[::ffff:127.0.0.1]")):
            await scene.bob.post("pushers/set", pusher(f"https://{host}:{port}", f"key{i}"))
        await scene.say("hello")
        failed = scene.server.app.ground.figures.counter(
            "push_notifications", "Requests to push gateways", outcome="failed"
        )
        await until(lambda: failed.value >= 3)
        assert gateway.attempts == 0


async def test_a_replaced_pusher_is_notified_at_its_new_address(scene: Scene, gateway: Gateway) -> None:
    async with push_gateway() as newer:
        await set_pusher(scene.bob, gateway)
        gateway.status = 500
        missed = await scene.say("before")
        await gateway.until(lambda seen: seen.attempts >= 1)
        await set_pusher(scene.bob, newer)
        after = await scene.say("after")
        await newer.next(2)
        assert newer.events == [missed, after]


async def test_a_device_that_signed_out_is_not_notified(scene: Scene, gateway: Gateway) -> None:
    phone = await scene.server.login("bob")
    await set_pusher(phone, gateway, "phone")
    await set_pusher(scene.bob, gateway, "laptop")
    await scene.say("both")
    await gateway.next(2)
    await phone.post("logout")
    gateway.received.clear()
    await scene.say("one")
    await scene.say("two")
    await gateway.next(2)
    assert [n["devices"][0]["pushkey"] for n in gateway.received] == ["laptop", "laptop"]


async def test_who_joins_later_is_not_told_of_what_was_before(scene: Scene, gateway: Gateway) -> None:
    carol = await scene.server.register("carol")
    await set_pusher(carol, gateway)
    await scene.alice.put(f"rooms/{scene.room_id}/state/m.room.history_visibility", {"history_visibility": "joined"})
    await asyncio.gather(scene.say("before"), carol.post(f"join/{scene.room_id}"))
    after = await scene.say("after")
    await gateway.until(lambda seen: after in seen.events)
    bodies = [n["content"]["body"] for n in gateway.received if n.get("type") == "m.room.message"]
    visible = (await carol.get(f"rooms/{scene.room_id}/messages", dir="b"))["chunk"]
    assert bodies == [e["content"]["body"] for e in reversed(visible) if e["type"] == "m.room.message"]


async def test_a_restart_loses_nothing_and_repeats_nothing(tmp_path: Path, database_url: str, gateway: Gateway) -> None:
    config = config_of(tmp_path, database_url)
    async with scene_on(config) as scene:
        await set_pusher(scene.bob, gateway)
        events = [await scene.say("one")]
        await gateway.next()
        gateway.status = 503
        events += [await scene.say("two"), await scene.say("three")]
        await gateway.until(lambda seen: seen.attempts >= 2)
    gateway.status = 200
    async with running_server(config) as again:
        await gateway.next(3)
        alice = await again.login("alice")
        events.append(await alice.send(scene.room_id, "four"))
        await gateway.next(4)
    async with running_server(config) as last:
        alice = await last.login("alice")
        events.append(await alice.send(scene.room_id, "five"))
        await gateway.next(5)
    assert gateway.events == events


async def test_what_was_written_while_nobody_sent_is_read_back(tmp_path: Path, gateway: Gateway) -> None:
    config = config_of(tmp_path)
    async with scene_on(config) as scene:
        await set_pusher(scene.bob, gateway)
        first = await scene.say("one")
        await gateway.next()
    silent = make_config(tmp_path, push=Push(enabled=False))
    async with running_server(silent) as server:
        alice = await server.login("alice")
        missed = [await alice.send(scene.room_id, f"m{i}") for i in range(3)]
    async with running_server(config):
        await gateway.next(4)
    assert gateway.events == [first, *missed]


@pytest.mark.postgres
async def test_two_processes_send_once_and_one_takes_over(tmp_path: Path, postgres_url: str, gateway: Gateway) -> None:
    config = config_of(tmp_path, postgres_url)
    async with running_server(config) as one:
        scene = await set_scene(one)
        async with running_server(config) as two:
            bob, alice = await two.login("bob"), await two.login("alice")
            await set_pusher(bob, gateway)
            events = []
            for i in range(4):
                events.append(await (scene.alice, alice)[i % 2].send(scene.room_id, f"m{i}"))
                await gateway.next(i + 1)
            assert gateway.events == events
            await one.running.__aexit__()
            events.append(await alice.send(scene.room_id, "after"))
            await gateway.next(5)
            assert gateway.events == events
