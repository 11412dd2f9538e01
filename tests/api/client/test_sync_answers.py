"""The first sync, those that follow, and the tokens between them."""

import asyncio

import pytest

from inprocess import TestServer
from myelin.services.rooms.cache import Rooms
from syncing import Syncing, bodies, event_ids, has_news, public_room, set_state, state_of


async def test_a_new_user_syncs_at_once_and_has_push_rules(server_on_each: TestServer) -> None:
    alice = await server_on_each.register("alice")
    answer = await Syncing(alice)(timeout_ms=30_000)
    assert "rooms" not in answer
    assert [e["type"] for e in answer["account_data"]["events"]] == ["m.push_rules"]
    assert answer["device_one_time_keys_count"] == {"signed_curve25519": 0}
    assert answer["device_unused_fallback_key_types"] == []


async def test_each_event_comes_once(server_on_each: TestServer) -> None:
    alice, bob = await server_on_each.register("alice"), await server_on_each.register("bob")
    room_id = await public_room(alice, bob, name="A room")
    first = await alice.send(room_id, "first")
    sync = Syncing(bob)
    section = await sync.joined(room_id)
    assert section["timeline"]["events"][-1]["event_id"] == first
    assert not has_news(await sync())
    sent = [await alice.send(room_id, text) for text in ("second", "third")]
    section = await sync.joined(room_id)
    assert event_ids(section) == sent
    assert bodies(section) == ["second", "third"]
    assert section["timeline"]["limited"] is False
    assert section["state"]["events"] == section["ephemeral"]["events"] == section["account_data"]["events"] == []
    assert not has_news(await sync())


async def test_state_and_timeline_of_a_first_sync_add_up_to_the_room(server_on_each: TestServer) -> None:
    alice, bob = await server_on_each.register("alice"), await server_on_each.register("bob")
    room_id = await public_room(alice, name="before")
    for number in range(3):
        await alice.send(room_id, f"message {number}")
    await set_state(alice, room_id, "m.room.name", {"name": "after"})
    await bob.post(f"join/{room_id}")
    await alice.send(room_id, "last")
    now = state_of(await alice.get(f"rooms/{room_id}/state"))
    for limit in (0, 1, 2, 3, 5, 30):
        section = await Syncing(alice, {"room": {"timeline": {"limit": limit}}}).joined(room_id)
        assert len(section["timeline"]["events"]) <= limit
        before = state_of(section["state"]["events"])
        told = state_of(e for e in section["timeline"]["events"] if "state_key" in e)
        assert {**before, **told} == now
        if limit == 3:
            assert before["m.room.name", ""] == {"name": "before"}
            assert ("m.room.member", bob.user_id) not in before


async def test_a_small_room_has_all_its_state_in_the_timeline(server: TestServer) -> None:
    alice = await server.register("alice")
    room_id = await alice.create_room()
    section = await Syncing(alice, {"room": {"timeline": {"limit": 50}}}).joined(room_id)
    assert section["state"]["events"] == []
    assert section["timeline"]["events"][0]["type"] == "m.room.create"
    assert section["timeline"]["limited"] is False


async def test_the_same_token_gives_the_same_answer_again(server_on_each: TestServer) -> None:
    alice, bob, carol = [await server_on_each.register(name) for name in ("alice", "bob", "carol")]
    room_id = await public_room(alice, bob, carol, name="A room")
    for number in range(20):
        await alice.send(room_id, f"old {number}")
    lazy = {"room": {"state": {"lazy_load_members": True}, "timeline": {"limit": 3}}}
    sync = Syncing(alice, lazy)
    await sync()
    await carol.send(room_id, "new")
    since = sync.since
    answers = [await sync(since=since) for _ in range(3)]
    for answer in answers:
        section = answer["rooms"]["join"][room_id]
        assert bodies(section) == ["new"]
        assert [e["state_key"] for e in section["state"]["events"]] == [carol.user_id]
        for event in section["timeline"]["events"]:
            event["unsigned"].pop("age")
    assert answers[0] == answers[1] == answers[2]


async def test_two_devices_of_a_user_hear_the_same_and_only_the_sender_has_the_transaction(
    server_on_each: TestServer,
) -> None:
    phone = await server_on_each.register("alice")
    laptop = await server_on_each.login("alice")
    room_id = await phone.create_room()
    on_phone, on_laptop = Syncing(phone), Syncing(laptop)
    await asyncio.gather(on_phone(), on_laptop())
    sent = await phone.send(room_id, "hello")
    here, there = await on_phone.joined(room_id), await on_laptop.joined(room_id)
    assert event_ids(here) == event_ids(there) == [sent]
    assert here["timeline"]["events"][0]["unsigned"]["transaction_id"] == "t1"
    assert "transaction_id" not in there["timeline"]["events"][0]["unsigned"]


async def test_unsigned_tells_age_membership_and_what_was_replaced(server_on_each: TestServer) -> None:
    alice, bob = await server_on_each.register("alice"), await server_on_each.register("bob")
    room_id = await public_room(alice, name="one")
    await alice.send(room_id, "early")
    await bob.post(f"join/{room_id}")
    replaced = await set_state(alice, room_id, "m.room.name", {"name": "two"})
    await set_state(alice, room_id, "m.room.name", {"name": "three"})
    section = await Syncing(bob, {"room": {"timeline": {"limit": 50}}}).joined(room_id)
    events = section["timeline"]["events"]
    unsigned = events[-1]["unsigned"]
    assert unsigned["age"] >= 0
    assert unsigned["prev_content"] == {"name": "two"}
    assert unsigned["replaces_state"] == replaced
    by_body = {e["content"].get("body"): e["unsigned"]["membership"] for e in events if e["type"] == "m.room.message"}
    assert by_body == {"early": "leave"}
    assert unsigned["membership"] == "join"


async def test_full_state_brings_all_rooms_with_all_state_at_once(server_on_each: TestServer) -> None:
    alice, bob = await server_on_each.register("alice"), await server_on_each.register("bob")
    rooms = [await public_room(alice, bob, name=f"Room {n}") for n in range(2)]
    sync = Syncing(bob)
    await sync()
    sent = await alice.send(rooms[0], "new")
    answer = await sync(timeout_ms=30_000, full_state=True)
    assert set(answer["rooms"]["join"]) == set(rooms)
    assert event_ids(answer["rooms"]["join"][rooms[0]]) == [sent]
    assert event_ids(answer["rooms"]["join"][rooms[1]]) == []
    for room_id in rooms:
        state = state_of(answer["rooms"]["join"][room_id]["state"]["events"])
        assert state == state_of(await bob.get(f"rooms/{room_id}/state"))
        assert answer["rooms"]["join"][room_id]["summary"]["m.joined_member_count"] == 2


@pytest.mark.parametrize("since", ["nonsense", "s", "s1_2", "-1", "s1_2_3_4_5", "s99999999999999999999"])
async def test_what_is_no_token_is_refused(server: TestServer, since: str) -> None:
    alice = await server.register("alice")
    (await alice("GET", "sync", since=since)).error(400, "M_INVALID_PARAM")


async def test_queries_that_make_no_sense_are_refused(server: TestServer) -> None:
    alice = await server.register("alice")
    (await alice("GET", "sync", timeout=-1)).error(400, "M_INVALID_PARAM")
    (await alice("GET", "sync", set_presence="asleep")).error(400, "M_INVALID_PARAM")
    (await alice("GET", "sync", filter="{")).error(400, "M_INVALID_PARAM")
    (await alice("GET", "sync", filter='{"room":7}')).error(400, "M_BAD_JSON")
    (await alice("GET", "sync", filter="12345")).error(404, "M_NOT_FOUND")
    (await server.anonymous("GET", "sync")).error(401, "M_MISSING_TOKEN")


async def test_many_rooms_of_a_server_that_has_just_started(server_on_each: TestServer) -> None:
    """A first sync of rooms that are not in memory reads them together, and tells what a slow one would."""
    alice, bob = await server_on_each.register("alice"), await server_on_each.register("bob")
    rooms = []
    for number in range(12):
        version = "11" if number % 2 else "12"
        room_id = await public_room(alice, bob, name=f"Room {number}", room_version=version)
        rooms.append(room_id)
        for text in range(number * 2):
            await alice.send(room_id, f"{number}.{text}")
    lazy = {"room": {"state": {"lazy_load_members": True}, "timeline": {"limit": 5}}, "presence": {"types": []}}
    before = await Syncing(bob, lazy)()
    for room_id in rooms:
        server_on_each.app.services[Rooms].drop(room_id)
    after = await Syncing(bob, lazy)()
    for room_id in rooms:
        one, two = before["rooms"]["join"][room_id], after["rooms"]["join"][room_id]
        assert event_ids(one) == event_ids(two)
        assert len(event_ids(one)) == 5
        assert state_of(one["state"]["events"]) == state_of(two["state"]["events"])
        assert one["unread_notifications"] == two["unread_notifications"]
        assert one["summary"] == two["summary"]
        assert one["timeline"]["prev_batch"] == two["timeline"]["prev_batch"]
