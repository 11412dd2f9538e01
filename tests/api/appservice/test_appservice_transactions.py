"""What application services are sent: which events, in which order, and what happens when they do not take them."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from appservice import HS_TOKEN, Bridge, bridged, config_with, registration, scripted_appservice
from inprocess import Client, running_server
from myelin.services.appservices import serving
from myelin.services.appservices.composing import MAX_EVENTS

EPHEMERAL = {"receive_ephemeral": True}


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    async with bridged(tmp_path) as running:
        yield running


@pytest.fixture
async def bridge_on_each(tmp_path: Path, database_url: str) -> AsyncIterator[Bridge]:
    async with bridged(tmp_path, database_url=database_url) as running:
        yield running


@pytest.fixture
async def listening(tmp_path: Path) -> AsyncIterator[Bridge]:
    async with bridged(tmp_path, EPHEMERAL) as running:
        yield running


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "FIRST_RETRY_S", 0.02)
    monkeypatch.setattr(serving, "LAST_RETRY_S", 0.05)


async def shared_room(bridge: Bridge, name: str = "alice") -> tuple[Client, str]:
    """A user in a room with a user of the application service."""
    alice = await bridge.server.register(name)
    ghost = await bridge.ghost(f"irc_with_{name}")
    room_id = await alice.create_room(preset="public_chat")
    await ghost.join(room_id)
    return alice, room_id


async def test_rooms_with_a_user_of_its_are_told_of_whole_and_in_order(bridge_on_each: Bridge) -> None:
    alice, room_id = await shared_room(bridge_on_each)
    sent = [await alice.send(room_id, f"message {n}") for n in range(20)]
    appservice = bridge_on_each.appservice
    event = await appservice.gets(sent[-1])
    assert [e["event_id"] for e in appservice.events if e["type"] == "m.room.message"] == sent
    assert event["room_id"] == room_id
    assert event["sender"] == "@alice:hs1"
    assert event["content"] == {"msgtype": "m.text", "body": "message 19"}
    joined = next(e for e in appservice.events if e["type"] == "m.room.member")
    assert (joined["state_key"], joined["content"]["membership"]) == ("@irc_with_alice:hs1", "join")
    assert len({txn_id for txn_id, _ in appservice.transactions}) == len(appservice.transactions)
    assert {r.authorization for r in appservice.requests} == {f"Bearer {HS_TOKEN}"}
    assert all(r.query == {} for r in appservice.requests)


async def test_rooms_without_a_user_of_its_are_not_told_of(bridge: Bridge) -> None:
    alice, room_id = await shared_room(bridge)
    elsewhere = await alice.create_room()
    silent = await alice.send(elsewhere, "not for bridges")
    last = await alice.send(room_id, "for bridges")
    await bridge.appservice.gets(last)
    assert silent not in bridge.appservice.event_ids
    assert {e["room_id"] for e in bridge.appservice.events} == {room_id}


async def test_an_invite_and_a_kick_are_told_although_nobody_of_its_is_in_the_room(bridge: Bridge) -> None:
    alice = await bridge.server.register("alice")
    ghost = await bridge.ghost("irc_carol")
    room_id = await alice.create_room(name="The channel")
    await alice.post(f"rooms/{room_id}/invite", {"user_id": ghost.user_id})
    await bridge.appservice.until(lambda b: any(e["content"].get("membership") == "invite" for e in b.events))
    told = {e["type"]: e for e in bridge.appservice.events[-1]["unsigned"]["invite_room_state"]}
    assert told["m.room.name"]["content"] == {"name": "The channel"}
    assert told["m.room.member"]["state_key"] == alice.user_id
    assert "m.room.create" in told
    await ghost.join(room_id)
    await alice.post(f"rooms/{room_id}/kick", {"user_id": ghost.user_id})
    await bridge.appservice.until(lambda b: any(e["content"].get("membership") == "leave" for e in b.events))
    silent = await alice.send(room_id, "nobody listens")
    await alice.post(f"rooms/{room_id}/invite", {"user_id": "@ircbot:hs1"})
    await bridge.appservice.until(lambda b: any(e.get("state_key") == "@ircbot:hs1" for e in b.events))
    assert silent not in bridge.appservice.event_ids


async def test_namespaces_of_rooms_and_aliases(tmp_path: Path) -> None:
    namespaces = {
        "users": [],
        "aliases": [{"exclusive": False, "regex": "#bridged.*"}],
        "rooms": [{"exclusive": False, "regex": "!never.*"}],
    }
    async with bridged(tmp_path, {"namespaces": namespaces}) as bridge:
        alice = await bridge.server.register("alice")
        room_id = await alice.create_room(preset="public_chat")
        elsewhere = await alice.create_room(room_alias_name="bridged-too")
        before = await alice.send(room_id, "before the alias")
        await bridge.appservice.gets(await alice.send(elsewhere, "this one has an alias"))
        await alice.put("directory/room/%23bridged:hs1", {"room_id": room_id})
        after = await alice.send(room_id, "after it")
        await bridge.appservice.gets(after)
        assert before not in bridge.appservice.event_ids
    async with bridged(tmp_path, {"namespaces": {"rooms": [{"exclusive": False, "regex": ".*"}]}}) as bridge:
        alice = await bridge.server.login("alice")
        everything = await alice.send(room_id, "all rooms")
        await bridge.appservice.gets(everything)


async def test_what_is_not_taken_comes_again_unchanged_and_before_what_follows(bridge_on_each: Bridge) -> None:
    alice, room_id = await shared_room(bridge_on_each)
    appservice = bridge_on_each.appservice
    await appservice.gets(await alice.send(room_id, "works"))
    appservice.status = 503
    attempts = len(appservice.attempts)
    missed = [await alice.send(room_id, f"missed {n}") for n in range(3)]
    await appservice.until(lambda b: len(b.attempts) >= attempts + 4)
    refused = appservice.attempts[attempts:]
    assert len(set(refused)) == 1
    appservice.status = 200
    await appservice.gets(missed[-1])
    assert appservice.attempts[-1] == refused[0] or refused[0] in appservice.attempts[attempts:]
    assert appservice.event_ids[-3:] == missed
    assert len(appservice.event_ids) == len(set(appservice.event_ids))


async def test_a_transaction_has_no_more_events_than_the_limit(bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "FIRST_RETRY_S", 0.5)
    alice, room_id = await shared_room(bridge)
    await bridge.appservice.gets(await alice.send(room_id, "works"))
    bridge.appservice.status = 503
    await alice.send(room_id, "refused")
    sent = [await alice.send(room_id, str(n)) for n in range(2 * MAX_EVENTS + 10)]
    bridge.appservice.status = 200
    await bridge.appservice.gets(sent[-1])
    sizes = [len(body["events"]) for _, body in bridge.appservice.transactions]
    assert max(sizes) == MAX_EVENTS
    assert bridge.appservice.event_ids[-len(sent) :] == sent


async def test_a_stopped_server_sends_the_same_transaction_again_and_then_what_came_since(
    tmp_path: Path, database_url: str
) -> None:
    async with scripted_appservice() as appservice:
        config = config_with(tmp_path, registration(appservice.url), database_url=database_url)
        async with running_server(config) as server:
            alice, room_id = await shared_room(Bridge(server, appservice))
            await appservice.gets(await alice.send(room_id, "works"))
            appservice.status = 503
            attempts = len(appservice.attempts)
            missed = await alice.send(room_id, "missed")
            await appservice.until(lambda b: len(b.attempts) > attempts)
            while_down = [await alice.send(room_id, f"while down {n}") for n in range(5)]
        refused = appservice.attempts[-1]
        appservice.status = 200
        attempts = len(appservice.attempts)
        async with running_server(config) as server:
            await appservice.gets(while_down[-1])
        assert appservice.attempts[attempts] == refused
        assert appservice.event_ids[-6:] == [missed, *while_down]
        assert len(appservice.event_ids) == len(set(appservice.event_ids))


async def test_what_happened_while_nobody_served_is_read_from_the_log(tmp_path: Path, database_url: str) -> None:
    async with scripted_appservice() as appservice:
        first = config_with(tmp_path, registration(appservice.url), database_url=database_url)
        async with running_server(first) as server:
            alice, room_id = await shared_room(Bridge(server, appservice))
            await appservice.gets(await alice.send(room_id, "works"))
        taken = len(appservice.transactions)
        async with running_server(config_with(tmp_path, database_url=database_url)) as server:
            again = Client(server.session, server.base, alice.token)
            again._txn = alice._txn
            sent = [await again.send(room_id, f"unserved {n}") for n in range(250)]
        async with running_server(first):
            await appservice.gets(sent[-1])
        assert [e["event_id"] for _, body in appservice.transactions[taken:] for e in body["events"]] == sent


async def test_a_backlog_that_is_too_long_for_memory_is_read_from_the_log(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("myelin.services.appservices.backlog.MAX_WAITING", 10)
    alice, room_id = await shared_room(bridge)
    appservice = bridge.appservice
    await appservice.gets(await alice.send(room_id, "works"))
    taken = len(appservice.event_ids)
    appservice.status = 500
    sent = [await alice.send(room_id, f"missed {n}") for n in range(60)]
    appservice.status = 200
    await appservice.gets(sent[-1])
    sent += [await alice.send(room_id, f"live {n}") for n in range(30)]
    await appservice.gets(sent[-1])
    assert appservice.event_ids[taken:] == sent


async def test_old_paths_and_the_token_in_the_query_for_who_needs_them(tmp_path: Path) -> None:
    async with bridged(tmp_path, appservices={"legacy_authorization": True}) as bridge:
        bridge.appservice.only_legacy = True
        alice, room_id = await shared_room(bridge)
        await bridge.appservice.gets(await alice.send(room_id, "hello"))
        taken = [r for r in bridge.appservice.requests if r.path.startswith("/transactions/")]
        assert taken
        assert all(r.query == {"access_token": HS_TOKEN} for r in taken)
        assert all(r.authorization == f"Bearer {HS_TOKEN}" for r in taken)


async def test_redirects_are_not_followed(bridge: Bridge) -> None:
    alice, room_id = await shared_room(bridge)
    await bridge.appservice.gets(await alice.send(room_id, "works"))
    async with scripted_appservice() as elsewhere:
        bridge.appservice.redirect_to = elsewhere.url
        asked = len(bridge.appservice.requests)
        event_id = await alice.send(room_id, "not for others")
        await bridge.appservice.until(lambda b: len(b.requests) > asked + 1)
        bridge.appservice.redirect_to = ""
        await bridge.appservice.gets(event_id)
        assert elsewhere.requests == []


async def test_nothing_is_sent_to_who_has_no_url(tmp_path: Path) -> None:
    async with scripted_appservice() as appservice, running_server(config_with(tmp_path, registration(None))) as server:
        bridge = Bridge(server, appservice)
        alice, room_id = await shared_room(bridge)
        await alice.send(room_id, "hello")
        assert appservice.requests == []


async def test_users_are_asked_for_before_the_event_that_names_them(bridge: Bridge) -> None:
    path = "/_matrix/app/v1/users/@irc_new:hs1"

    async def make(asked: str) -> None:
        if asked == path:
            await bridge.ghost("irc_new")

    bridge.appservice.answers[path] = {}
    bridge.appservice.on_query = make
    alice = await bridge.server.register("alice")
    room_id = await alice.create_room()
    await alice.post(f"rooms/{room_id}/invite", {"user_id": "@irc_new:hs1"})
    await bridge.appservice.until(lambda b: any(e.get("state_key") == "@irc_new:hs1" for e in b.events))
    asked = [r.path for r in bridge.appservice.requests]
    assert asked.index(path) < next(i for i, p in enumerate(asked) if "/transactions/" in p)
    assert await alice.get("profile/@irc_new:hs1") == {}


async def test_a_room_is_made_when_its_alias_is_asked_for(bridge: Bridge) -> None:
    path = "/_matrix/app/v1/rooms/%23irc_lobby:hs1"

    async def make(asked: str) -> None:
        if asked == path:
            await bridge.bot.create_room(room_alias_name="irc_lobby", preset="public_chat")

    bridge.appservice.answers[path] = {}
    bridge.appservice.on_query = make
    alice = await bridge.server.register("alice")
    (await alice("GET", "directory/room/%23irc_missing:hs1")).error(404, "M_NOT_FOUND")
    joined = await alice.post("join/%23irc_lobby:hs1")
    assert (await alice.get("directory/room/%23irc_lobby:hs1"))["room_id"] == joined["room_id"]


async def test_ephemeral_events_come_only_to_who_wants_them(bridge: Bridge, tmp_path: Path) -> None:
    alice, room_id = await shared_room(bridge)
    await alice.put(f"rooms/{room_id}/typing/{alice.user_id}", {"typing": True, "timeout": 30_000})
    event_id = await alice.send(room_id, "hello")
    await alice.post(f"rooms/{room_id}/receipt/m.read/{event_id}")
    await bridge.appservice.gets(await alice.send(room_id, "the last"))
    assert all(set(body) == {"events"} for _, body in bridge.appservice.transactions)


def _content(events: list[Any], kind: str) -> list[Any]:
    return [event["content"] for event in events if event["type"] == kind]


async def test_typing_receipts_and_presence(listening: Bridge) -> None:
    alice, room_id = await shared_room(listening)
    appservice = listening.appservice
    await alice.put(f"rooms/{room_id}/typing/{alice.user_id}", {"typing": True, "timeout": 30_000})
    await appservice.until(lambda b: {"user_ids": [alice.user_id]} in _content(b.all_of("ephemeral"), "m.typing"))
    typing = next(e for e in appservice.all_of("ephemeral") if e["type"] == "m.typing")
    assert typing["room_id"] == room_id
    event_id = await alice.send(room_id, "hello")
    await alice.post(f"rooms/{room_id}/receipt/m.read/{event_id}", {"thread_id": "main"})
    await appservice.until(lambda b: _content(b.all_of("ephemeral"), "m.receipt"))
    receipt = next(e for e in appservice.all_of("ephemeral") if e["type"] == "m.receipt")
    assert receipt["room_id"] == room_id
    assert receipt["content"][event_id]["m.read"][alice.user_id]["thread_id"] == "main"
    await alice.put(f"presence/{alice.user_id}/status", {"presence": "online", "status_msg": "here"})
    await appservice.until(lambda b: _content(b.all_of("ephemeral"), "m.presence"))
    presence = next(e for e in appservice.all_of("ephemeral") if e["type"] == "m.presence")
    assert presence["sender"] == alice.user_id
    assert presence["content"]["status_msg"] == "here"
    assert appservice.all_of("de.sorunome.msc2409.ephemeral") == appservice.all_of("ephemeral")


async def test_private_receipts_are_told_of_its_own_users_alone(listening: Bridge) -> None:
    alice, room_id = await shared_room(listening)
    ghost = await listening.ghost("irc_reader")
    await ghost.join(room_id)
    event_id = await alice.send(room_id, "hello")
    await alice.post(f"rooms/{room_id}/receipt/m.read.private/{event_id}")
    await ghost.ok("POST", f"rooms/{room_id}/receipt/m.read.private/{event_id}", {})
    await listening.appservice.until(lambda b: _content(b.all_of("ephemeral"), "m.receipt"))
    assert _content(listening.appservice.all_of("ephemeral"), "m.receipt") == [
        {event_id: {"m.read.private": {ghost.user_id: {"ts": pytest.approx(0, abs=2**53)}}}}
    ]


async def test_strangers_presence_and_typing_are_not_told(listening: Bridge) -> None:
    alice, room_id = await shared_room(listening)
    bob = await listening.server.register("bob")
    own = await bob.create_room()
    await bob.put(f"rooms/{own}/typing/{bob.user_id}", {"typing": True, "timeout": 30_000})
    await bob.put(f"presence/{bob.user_id}/status", {"presence": "online", "status_msg": "secret"})
    await alice.put(f"presence/{alice.user_id}/status", {"presence": "online", "status_msg": "open"})
    await listening.appservice.until(lambda b: _content(b.all_of("ephemeral"), "m.presence"))
    assert {e.get("sender") for e in listening.appservice.all_of("ephemeral")} == {alice.user_id}
    assert room_id
