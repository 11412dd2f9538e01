"""How much of a room's timeline a sync answer has, and what filters make of it."""

from typing import Any

import pytest

from inprocess import Client, TestServer
from syncing import Syncing, bodies, event_ids, has_news, public_room, set_state, state_of


def only(**timeline: Any) -> dict[str, Any]:
    """A filter of timelines."""
    return {"room": {"timeline": timeline}}


async def pages(client: Client, room_id: str, start: str, stop: str | None = None) -> list[str]:
    """The IDs of all events before a token, oldest first."""
    found: list[str] = []
    token: str | None = start
    while token is not None:
        query = {"to": stop} if stop is not None else {}
        page = await client.get(f"rooms/{room_id}/messages", dir="b", limit=3, from_=token, **query)
        found += [event["event_id"] for event in page["chunk"]]
        token = page.get("end")
    return found[::-1]


async def test_prev_batch_of_a_first_sync_leads_to_all_that_is_older(server_on_each: TestServer) -> None:
    alice = await server_on_each.register("alice")
    room_id = await alice.create_room()
    sent = [await alice.send(room_id, str(number)) for number in range(10)]
    whole = event_ids(await Syncing(alice, only(limit=100)).joined(room_id))
    assert whole[-10:] == sent
    for limit in (1, 4, 10):
        section = await Syncing(alice, only(limit=limit)).joined(room_id)
        assert section["timeline"]["limited"] is True
        assert event_ids(section) == sent[-limit:]
        assert await pages(alice, room_id, section["timeline"]["prev_batch"]) == whole[:-limit]


async def test_a_gap_is_told_and_can_be_filled_without_loss_or_repetition(server_on_each: TestServer) -> None:
    alice = await server_on_each.register("alice")
    room_id = await alice.create_room(name="one")
    sync = Syncing(alice, only(limit=3))
    await sync()
    since = sync.since
    missed = [await alice.send(room_id, "a")]
    missed.append(await set_state(alice, room_id, "m.room.name", {"name": "two"}))
    missed.append(await set_state(alice, room_id, "m.room.topic", {"topic": "in the gap"}))
    missed += [await alice.send(room_id, "b"), await set_state(alice, room_id, "m.room.name", {"name": "three"})]
    shown = [await alice.send(room_id, text) for text in ("c", "d", "e")]
    section = await sync.joined(room_id)
    assert event_ids(section) == shown
    assert section["timeline"]["limited"] is True
    state = state_of(section["state"]["events"])
    assert state == {("m.room.name", ""): {"name": "three"}, ("m.room.topic", ""): {"topic": "in the gap"}}
    assert await pages(alice, room_id, section["timeline"]["prev_batch"], since) == missed
    assert not has_news(await sync())


async def test_the_gap_reaches_up_to_the_timeline_and_no_further(server_on_each: TestServer) -> None:
    alice = await server_on_each.register("alice")
    room_id = await alice.create_room()
    sync = Syncing(alice, only(limit=2))
    await sync()
    await set_state(alice, room_id, "m.room.topic", {"topic": "in the gap"})
    await alice.send(room_id, "x")
    await set_state(alice, room_id, "m.room.topic", {"topic": "in the timeline"})
    await alice.send(room_id, "y")
    section = await sync.joined(room_id)
    assert state_of(section["state"]["events"]) == {("m.room.topic", ""): {"topic": "in the gap"}}
    assert [e["type"] for e in section["timeline"]["events"]] == ["m.room.topic", "m.room.message"]


async def test_exactly_as_many_events_as_the_limit_are_no_gap(server_on_each: TestServer) -> None:
    alice = await server_on_each.register("alice")
    room_id = await alice.create_room()
    sync = Syncing(alice, only(limit=3))
    await sync()
    sent = [await alice.send(room_id, str(number)) for number in range(3)]
    section = await sync.joined(room_id)
    assert event_ids(section) == sent
    assert section["timeline"]["limited"] is False


async def test_a_long_absence_reads_beyond_what_is_in_memory(server_on_each: TestServer) -> None:
    alice = await server_on_each.register("alice")
    room_id = await alice.create_room()
    sync = Syncing(alice, only(limit=70))
    await sync()
    sent = [await alice.send(room_id, str(number)) for number in range(65)]
    section = await sync.joined(room_id)
    assert event_ids(section) == sent
    assert section["timeline"]["limited"] is False


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"types": ["m.room.message"]}, ["a1", "b1", "a2", "link"]),
        ({"types": ["m.room.mess*"], "not_types": ["m.room.topic"]}, ["a1", "b1", "a2", "link"]),
        ({"senders": ["@bob:hs1"]}, ["b1"]),
        ({"not_senders": ["@bob:hs1"], "types": ["m.room.message"]}, ["a1", "a2", "link"]),
        ({"types": ["m.room.message"], "limit": 2}, ["a2", "link"]),
        ({"contains_url": True}, ["link"]),
        ({"contains_url": False, "types": ["m.room.message"]}, ["a1", "b1", "a2"]),
        ({"types": []}, []),
        ({"not_types": ["*"]}, []),
        ({"senders": []}, []),
    ],
)
async def test_filters_choose_events(server: TestServer, wanted: dict[str, Any], expected: list[str]) -> None:
    """The same from memory, from the database, and for a client that knows the room already."""
    alice, bob = await server.register("alice"), await server.register("bob")
    room_id = await public_room(alice, bob)
    sync = Syncing(alice, only(**wanted))
    await sync()
    await alice.send(room_id, "a1")
    await bob.send(room_id, "b1")
    await set_state(alice, room_id, "m.room.topic", {"topic": "a topic"})
    await alice.send(room_id, "a2")
    await alice.send(room_id, {"msgtype": "m.image", "body": "link", "url": "mxc://hs1/a"})
    section = await sync.joined(room_id)
    assert bodies(section) == expected
    assert bodies(await Syncing(alice, only(**wanted)).joined(room_id)) == expected


async def test_state_that_the_timelines_filter_hides_is_in_the_state(server_on_each: TestServer) -> None:
    alice = await server_on_each.register("alice")
    room_id = await alice.create_room(name="one")
    messages = only(types=["m.room.message"], limit=2)
    sync = Syncing(alice, messages)
    await sync()
    await alice.send(room_id, "a")
    await set_state(alice, room_id, "m.room.name", {"name": "two"})
    await alice.send(room_id, "b")
    section = await sync.joined(room_id)
    assert bodies(section) == ["a", "b"]
    assert section["timeline"]["limited"] is False
    assert state_of(section["state"]["events"]) == {("m.room.name", ""): {"name": "two"}}
    whole = await Syncing(alice, messages).joined(room_id)
    assert state_of(whole["state"]["events"]) == state_of(await alice.get(f"rooms/{room_id}/state"))


async def test_a_client_without_timelines_hears_of_state_only(server_on_each: TestServer) -> None:
    alice = await server_on_each.register("alice")
    room_id = await alice.create_room(name="one")
    for nothing in ({"types": []}, {"limit": 0}):
        sync = Syncing(alice, only(**nothing))
        await sync()
        await set_state(alice, room_id, "m.room.topic", {"topic": f"{nothing}"})
        section = await sync.joined(room_id)
        assert section["timeline"]["events"] == []
        assert state_of(section["state"]["events"]) == {("m.room.topic", ""): {"topic": f"{nothing}"}}
        await alice.send(room_id, "not of interest")
        answer = await sync()
        assert has_news(answer) is (nothing == {"limit": 0})


async def test_an_event_deep_below_others_is_found(server_on_each: TestServer) -> None:
    alice = await server_on_each.register("alice")
    room_id = await alice.create_room()
    deep = await alice.send(room_id, {"x": 1}, "org.example.rare")
    for number in range(60):
        await alice.send(room_id, str(number))
    section = await Syncing(alice, only(types=["org.example.rare"], limit=5)).joined(room_id)
    assert event_ids(section) == [deep]
    assert section["timeline"]["limited"] is False


async def test_what_is_looked_through_for_a_filter_is_bounded(
    server: TestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A room in which nobody finds what the filter wants is told as a gap, not read to its beginning."""
    monkeypatch.setattr("myelin.services.sync.timelines.MAX_SCANNED", 40)
    alice = await server.register("alice")
    room_id = await alice.create_room()
    await alice.send(room_id, {"x": 1}, "org.example.rare")
    for number in range(60):
        await alice.send(room_id, str(number))
    section = await Syncing(alice, only(types=["org.example.rare"], limit=5)).joined(room_id)
    assert event_ids(section) == []
    assert section["timeline"]["limited"] is True


async def test_rooms_are_chosen(server: TestServer) -> None:
    alice = await server.register("alice")
    one, two = await alice.create_room(), await alice.create_room()
    for wanted, expected in (
        ({"rooms": [one]}, {one}),
        ({"not_rooms": [one]}, {two}),
        ({"rooms": [one, two], "not_rooms": [two]}, {one}),
    ):
        sync = Syncing(alice, {"room": wanted})
        assert set((await sync())["rooms"]["join"]) == expected
        await alice.send(one, "x")
        await alice.send(two, "x")
        assert set((await sync())["rooms"]["join"]) == expected
    none = await Syncing(alice, {"room": {"rooms": []}})()
    assert "rooms" not in none
    section = await Syncing(alice, only(rooms=[two])).joined(one)
    assert event_ids(section) == []


async def test_only_the_wanted_fields(server: TestServer) -> None:
    alice = await server.register("alice")
    room_id = await alice.create_room(name="A room")
    await alice.send(room_id, {"msgtype": "m.text", "body": "hi", "more": {"deep": 1}})
    fields = ["content.body", "content.membership"]
    section = await Syncing(alice, {"event_fields": fields, **only(limit=1)}).joined(room_id)
    (event,) = section["timeline"]["events"]
    assert event["content"] == {"body": "hi"}
    assert set(event) == {"content", "event_id", "origin_server_ts", "sender", "type"}
    own = next(e for e in section["state"]["events"] if e["type"] == "m.room.member")
    assert own["content"] == {"membership": "join"}
    name = next(e for e in section["state"]["events"] if e["type"] == "m.room.name")
    assert name["content"] == {}


async def test_events_as_servers_exchange_them(server: TestServer) -> None:
    alice = await server.register("alice")
    room_id = await alice.create_room()
    sent = await alice.send(room_id, "hi")
    section = await Syncing(alice, {"event_format": "federation", **only(limit=1)}).joined(room_id)
    (event,) = section["timeline"]["events"]
    assert event["event_id"] == sent
    assert event["hashes"]["sha256"]
    assert set(event["signatures"]) == {"hs1"}
    assert event["unsigned"]["transaction_id"] == "t1"
    assert all("hashes" in e for e in section["state"]["events"])


async def test_a_client_cannot_ask_for_more_than_the_server_gives(server: TestServer) -> None:
    alice = await server.register("alice")
    room_id = await alice.create_room()
    most = server.app.ground.config.sync.max_timeline_limit
    for number in range(most):
        await alice.send(room_id, str(number))
    section = await Syncing(alice, only(limit=100_000)).joined(room_id)
    assert len(section["timeline"]["events"]) == most
    assert section["timeline"]["limited"] is True


async def test_who_may_see_a_room_only_from_their_join_on_sees_no_more(server_on_each: TestServer) -> None:
    alice, bob = await server_on_each.register("alice"), await server_on_each.register("bob")
    for visibility in ("joined", "invited"):
        rule = {"type": "m.room.history_visibility", "content": {"history_visibility": visibility}}
        room_id = await alice.create_room(preset="private_chat", initial_state=[rule], name="A room")
        await alice.send(room_id, "before the invite")
        await alice.post(f"rooms/{room_id}/invite", {"user_id": bob.user_id})
        await alice.send(room_id, "invited")
        await bob.post(f"join/{room_id}")
        await alice.send(room_id, "joined")
        section = await Syncing(bob).joined(room_id)
        assert bodies(section) == (["joined"] if visibility == "joined" else ["invited", "joined"])
        told = state_of(e for e in section["timeline"]["events"] if "state_key" in e)
        assert {**state_of(section["state"]["events"]), **told} == state_of(await bob.get(f"rooms/{room_id}/state"))


async def test_redactions_and_relations_are_seen(server_on_each: TestServer) -> None:
    alice, bob = await server_on_each.register("alice"), await server_on_each.register("bob")
    room_id = await public_room(alice, bob)
    sync = Syncing(bob)
    await sync()
    root, gone = await alice.send(room_id, "root"), await alice.send(room_id, "gone")
    await alice.send(
        room_id, {"msgtype": "m.text", "body": "reply", "m.relates_to": {"rel_type": "m.thread", "event_id": root}}
    )
    await bob.send(
        room_id,
        {"m.relates_to": {"rel_type": "m.annotation", "event_id": root, "key": "+"}},
        "m.reaction",
    )
    redaction = (await alice.put(f"rooms/{room_id}/redact/{gone}/r1", {"reason": "spam"}))["event_id"]
    section = await sync.joined(room_id)
    by_id = {e["event_id"]: e for e in section["timeline"]["events"]}
    assert by_id[gone]["content"] == {}
    assert by_id[gone]["unsigned"]["redacted_because"]["event_id"] == redaction
    assert by_id[redaction]["content"]["redacts"] == gone
    thread = by_id[root]["unsigned"]["m.relations"]["m.thread"]
    assert (thread["count"], thread["current_user_participated"]) == (1, False)
    assert thread["latest_event"]["content"]["body"] == "reply"


async def test_redacted_state_is_redacted_for_who_comes_later(server_on_each: TestServer) -> None:
    alice, bob = await server_on_each.register("alice"), await server_on_each.register("bob")
    room_id = await public_room(alice)
    topic = await set_state(alice, room_id, "m.room.topic", {"topic": "secret"})
    for number in range(12):
        await alice.send(room_id, str(number))
    await alice.put(f"rooms/{room_id}/redact/{topic}/r1", {})
    await bob.post(f"join/{room_id}")
    section = await Syncing(bob).joined(room_id)
    assert state_of(section["state"]["events"])["m.room.topic", ""] == {}
