"""Account data, typing, receipts and presence in sync answers."""

from typing import Any

from inprocess import Client, TestServer
from syncing import Syncing, ephemeral, has_news, public_room, woken


async def pair(server: TestServer) -> tuple[Client, Client, str]:
    """Two members of a room."""
    alice, bob = await server.register("alice"), await server.register("bob")
    return alice, bob, await public_room(alice, bob, name="A room")


def data_of(answer: Any) -> dict[str, Any]:
    """Account data by type."""
    return {e["type"]: e["content"] for e in answer.get("account_data", {"events": []})["events"]}


def presence_of(answer: Any) -> dict[str, str]:
    """Presence by user."""
    return {e["sender"]: e["content"]["presence"] for e in answer.get("presence", {"events": []})["events"]}


async def type_in(client: Client, room_id: str, *, typing: bool = True) -> None:
    """Say that a user types, or does not."""
    body = {"typing": True, "timeout": 20_000} if typing else {"typing": False}
    await client.put(f"rooms/{room_id}/typing/{client.user_id}", body)


async def test_account_data_reaches_all_devices_of_its_user_alone(server_on_each: TestServer) -> None:
    alice, bob, room_id = await pair(server_on_each)
    laptop, bobs = Syncing(await server_on_each.login("alice")), Syncing(bob)
    await laptop()
    await bobs()
    await alice.put(f"user/{alice.user_id}/account_data/org.example", {"n": 1})
    await alice.put(f"user/{alice.user_id}/rooms/{room_id}/account_data/org.example.room", {"n": 2})
    await alice.put(f"user/{alice.user_id}/rooms/{room_id}/tags/m.favourite", {"order": 0.5})
    answer = await laptop()
    assert data_of(answer) == {"org.example": {"n": 1}}
    section = answer["rooms"]["join"][room_id]
    assert data_of(section) == {"org.example.room": {"n": 2}, "m.tag": {"tags": {"m.favourite": {"order": 0.5}}}}
    assert section["timeline"]["events"] == []
    assert not has_news(await laptop())
    assert not has_news(await bobs())
    first = await Syncing(alice)()
    assert {"m.push_rules", "org.example"} <= set(data_of(first))
    assert set(data_of(first["rooms"]["join"][room_id])) == {"org.example.room", "m.tag"}


async def test_account_data_is_filtered(server: TestServer) -> None:
    alice, _, room_id = await pair(server)
    await alice.put(f"user/{alice.user_id}/account_data/org.example", {})
    await alice.put(f"user/{alice.user_id}/rooms/{room_id}/account_data/org.example", {})
    nothing: dict[str, Any] = {"types": []}
    answer = await Syncing(alice, {"account_data": nothing, "room": {"account_data": nothing}})()
    assert (data_of(answer), data_of(answer["rooms"]["join"][room_id])) == ({}, {})
    answer = await Syncing(alice, {"account_data": {"types": ["org.*"]}})()
    assert set(data_of(answer)) == {"org.example"}
    answer = await Syncing(alice, {"room": {"account_data": {"not_rooms": [room_id]}}})()
    assert data_of(answer["rooms"]["join"][room_id]) == {}


async def test_account_data_of_a_room_that_was_left(server: TestServer) -> None:
    _, bob, room_id = await pair(server)
    await bob.put(f"user/{bob.user_id}/rooms/{room_id}/account_data/org.example", {"n": 1})
    await bob.post(f"rooms/{room_id}/leave")
    section = (await Syncing(bob, {"room": {"include_leave": True}})())["rooms"]["leave"][room_id]
    assert data_of(section) == {"org.example": {"n": 1}}


async def test_typing_is_told_when_it_begins_and_ends(server_on_each: TestServer) -> None:
    alice, bob, room_id = await pair(server_on_each)
    sync = Syncing(bob)
    await sync()
    poll = await sync.poll(server_on_each)
    await type_in(alice, room_id)
    section = (await woken(poll))["rooms"]["join"][room_id]
    assert ephemeral(section, "m.typing") == [{"user_ids": [alice.user_id]}]
    assert section["timeline"]["events"] == []
    assert ephemeral(await Syncing(bob).joined(room_id), "m.typing") == [{"user_ids": [alice.user_id]}]
    poll = await sync.poll(server_on_each)
    await type_in(alice, room_id, typing=False)
    assert ephemeral((await woken(poll))["rooms"]["join"][room_id], "m.typing") == [{"user_ids": []}]
    assert not has_news(await sync())


async def test_who_hides_ephemeral_events_is_not_told(server: TestServer) -> None:
    alice, bob, room_id = await pair(server)
    sent = await alice.send(room_id, "hello")
    for wanted, typing, receipts in (
        ({"types": []}, 0, 0),
        ({"types": ["m.typing"]}, 1, 0),
        ({"not_types": ["m.typing"]}, 0, 1),
        ({"not_rooms": [room_id]}, 0, 0),
    ):
        sync = Syncing(bob, {"room": {"ephemeral": wanted}})
        await sync()
        await type_in(alice, room_id)
        await alice.post(f"rooms/{room_id}/receipt/m.read/{sent}")
        section = await Syncing(bob, {"room": {"ephemeral": wanted}}).joined(room_id)
        assert len(ephemeral(section, "m.typing")) == typing
        assert len(ephemeral(section, "m.receipt")) == receipts
        await type_in(alice, room_id, typing=False)


async def test_receipts_are_told_once_and_private_ones_to_their_owner_alone(server_on_each: TestServer) -> None:
    alice, bob, room_id = await pair(server_on_each)
    sent = [await alice.send(room_id, str(number)) for number in range(3)]
    alices, bobs = Syncing(alice), Syncing(bob)
    await alices()
    await bobs()
    await bob.post(f"rooms/{room_id}/receipt/m.read/{sent[0]}")
    (content,) = ephemeral(await alices.joined(room_id), "m.receipt")
    assert set(content[sent[0]]["m.read"]) == {bob.user_id}
    await bobs()
    await bob.post(f"rooms/{room_id}/receipt/m.read.private/{sent[1]}")
    assert not has_news(await alices())
    (content,) = ephemeral(await bobs.joined(room_id), "m.receipt")
    assert set(content[sent[1]]["m.read.private"]) == {bob.user_id}
    await bob.post(f"rooms/{room_id}/receipt/m.read/{sent[2]}", {"thread_id": "main"})
    (content,) = ephemeral(await alices.joined(room_id), "m.receipt")
    assert content[sent[2]]["m.read"][bob.user_id]["thread_id"] == "main"
    assert not has_news(await alices())
    (content,) = ephemeral(await Syncing(alice).joined(room_id), "m.receipt")
    assert set(content) == {sent[0], sent[2]}


async def test_the_fully_read_marker_is_account_data(server: TestServer) -> None:
    alice, bob, room_id = await pair(server)
    sent = await alice.send(room_id, "hello")
    sync = Syncing(bob)
    await sync()
    await bob.post(f"rooms/{room_id}/read_markers", {"m.fully_read": sent, "m.read": sent})
    section = await sync.joined(room_id)
    assert data_of(section) == {"m.fully_read": {"event_id": sent}}
    assert ephemeral(section, "m.receipt")


async def test_presence_is_told_to_who_shares_a_room(server_on_each: TestServer) -> None:
    alice, bob, _ = await pair(server_on_each)
    eve = await server_on_each.register("eve")
    alices, eves = Syncing(alice), Syncing(eve)
    await alices()
    await eves()
    poll = await alices.poll(server_on_each)
    await bob.put(f"presence/{bob.user_id}/status", {"presence": "unavailable", "status_msg": "tea"})
    answer = await woken(poll)
    assert presence_of(answer) == {bob.user_id: "unavailable"}
    assert answer["presence"]["events"][0]["content"]["status_msg"] == "tea"
    assert not has_news(await alices())
    assert bob.user_id not in presence_of(await eves())
    assert presence_of(await Syncing(alice)())[bob.user_id] == "unavailable"
    assert bob.user_id not in presence_of(await Syncing(eve)())


async def test_presence_is_filtered(server: TestServer) -> None:
    alice, bob, _ = await pair(server)
    await bob.put(f"presence/{bob.user_id}/status", {"presence": "online"})
    for wanted in (
        {"types": []},
        {"not_types": ["*"]},
        {"senders": [alice.user_id]},
        {"not_senders": [bob.user_id]},
        {"limit": 0},
    ):
        assert bob.user_id not in presence_of(await Syncing(alice, {"presence": wanted})())
    assert bob.user_id in presence_of(await Syncing(alice, {"presence": {"senders": [bob.user_id]}})())
    data = f"user/{alice.user_id}/account_data/m.ignored_user_list"
    await alice.put(data, {"ignored_users": {bob.user_id: {}}})
    assert bob.user_id not in presence_of(await Syncing(alice)())


async def test_who_is_met_in_a_room_is_told_with_their_presence(server: TestServer) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    room_id = await public_room(alice)
    await bob.put(f"presence/{bob.user_id}/status", {"presence": "online", "status_msg": "hi"})
    await alice.put(f"presence/{alice.user_id}/status", {"presence": "online", "status_msg": "hi"})
    alices, bobs = Syncing(alice), Syncing(bob)
    await alices()
    await bobs()
    await bob.post(f"join/{room_id}")
    assert bob.user_id in presence_of(await alices())
    assert alice.user_id in presence_of(await bobs())
    assert presence_of(await alices()) == presence_of(await bobs()) == {}


async def test_a_sync_marks_its_user_online_unless_told_otherwise(server: TestServer) -> None:
    alice, bob, _ = await pair(server)
    for state in ("offline", "unavailable", "online"):
        await Syncing(bob)(set_presence=state)
        assert (await alice.get(f"presence/{bob.user_id}/status"))["presence"] == state
