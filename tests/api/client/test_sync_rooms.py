"""Rooms that a user enters and leaves between syncs, and the state that comes with them."""

from typing import Any

import pytest

from inprocess import Client, TestServer
from myelin.services.rooms.cache import Rooms
from syncing import (
    Syncing,
    bodies,
    event_ids,
    has_news,
    members,
    public_room,
    set_state,
    state_of,
)

WITH_LEFT: dict[str, Any] = {"room": {"include_leave": True}}
AFTER = {"use_state_after": True}


def whole(section: Any) -> dict[tuple[str, str], Any]:
    """The room's state as a client has it that knows nothing but this section."""
    told = state_of(e for e in section["timeline"]["events"] if "state_key" in e)
    return {**state_of(section["state"]["events"]), **told}


async def test_a_room_just_joined_comes_whole(server_on_each: TestServer) -> None:
    alice, bob = await server_on_each.register("alice"), await server_on_each.register("bob")
    room_id = await public_room(alice, name="A room")
    for number in range(15):
        await alice.send(room_id, str(number))
    sync = Syncing(bob)
    await sync()
    await bob.post(f"join/{room_id}")
    await alice.send(room_id, "welcome")
    section = await sync.joined(room_id)
    assert whole(section) == state_of(await bob.get(f"rooms/{room_id}/state"))
    assert bodies(section)[-1] == "welcome"
    assert section["timeline"]["limited"] is True
    assert section["summary"]["m.joined_member_count"] == 2


async def test_who_comes_back_gets_the_whole_room_again(server_on_each: TestServer) -> None:
    alice, bob = await server_on_each.register("alice"), await server_on_each.register("bob")
    room_id = await public_room(alice, bob, name="A room")
    sync = Syncing(bob)
    await sync()
    await bob.post(f"rooms/{room_id}/leave")
    await set_state(alice, room_id, "m.room.topic", {"topic": "while Bob was away"})
    await bob.post(f"join/{room_id}")
    section = await sync.joined(room_id)
    assert whole(section) == state_of(await bob.get(f"rooms/{room_id}/state"))


async def test_a_new_name_is_no_new_join(server_on_each: TestServer) -> None:
    alice = await server_on_each.register("alice")
    rooms = [await alice.create_room() for _ in range(3)]
    sync = Syncing(alice)
    await sync()
    await alice.put(f"profile/{alice.user_id}/displayname", {"displayname": "Alice"})
    answer = await sync()
    assert set(answer["rooms"]["join"]) == set(rooms)
    for section in answer["rooms"]["join"].values():
        assert [e["type"] for e in section["timeline"]["events"]] == ["m.room.member"]
        assert section["state"]["events"] == []
        assert section["timeline"]["limited"] is False


async def test_a_room_joined_and_left_between_two_syncs_is_told_as_left(server_on_each: TestServer) -> None:
    alice, bob = await server_on_each.register("alice"), await server_on_each.register("bob")
    room_id = await public_room(alice, name="A room")
    sync = Syncing(bob)
    await sync()
    await bob.post(f"join/{room_id}")
    await alice.send(room_id, "seen")
    await bob.post(f"rooms/{room_id}/leave")
    await alice.send(room_id, "not seen")
    answer = await sync()
    assert "join" not in answer["rooms"]
    section = answer["rooms"]["leave"][room_id]
    assert bodies(section) == ["seen"]
    assert whole(section)["m.room.member", bob.user_id]["membership"] == "leave"


@pytest.mark.parametrize("how", ["leave", "kick", "ban"])
async def test_what_happens_after_one_left_is_never_told(server_on_each: TestServer, how: str) -> None:
    """Visibility: events or state visible after leaving, or after being removed."""
    alice, bob = await server_on_each.register("alice"), await server_on_each.register("bob")
    room_id = await public_room(alice, bob, name="before", topic="before")
    sync, late = Syncing(bob), Syncing(bob)
    await sync()
    await late()
    await alice.send(room_id, "seen")
    if how == "leave":
        await bob.post(f"rooms/{room_id}/leave")
    else:
        await alice.post(f"rooms/{room_id}/{how}", {"user_id": bob.user_id, "reason": "spam"})
    section = (await sync())["rooms"]["leave"][room_id]
    assert bodies(section) == ["seen"]
    assert section["timeline"]["events"][-1]["content"]["membership"] == ("ban" if how == "ban" else "leave")
    await alice.send(room_id, "secret")
    await set_state(alice, room_id, "m.room.name", {"name": "secret"})
    await alice.put(f"profile/{alice.user_id}/displayname", {"displayname": "secret"})
    assert not has_news(await sync())
    for syncing in (
        late,
        Syncing(bob, WITH_LEFT),
        Syncing(bob, {"room": {**WITH_LEFT["room"], "state": {"lazy_load_members": True}}}),
    ):
        for query in ({}, {"full_state": True} if syncing.since else {}, AFTER):
            answer = await syncing.client.get(
                "sync", **syncing.query, **query, **({"since": syncing.since} if syncing.since else {})
            )
            section = answer["rooms"]["leave"][room_id]
            assert "secret" not in str(section)
            assert bodies(section) == ["seen"]


async def test_left_rooms_are_told_once_and_with_include_leave_at_first(server_on_each: TestServer) -> None:
    alice, bob = await server_on_each.register("alice"), await server_on_each.register("bob")
    room_id = await public_room(alice, bob)
    sync = Syncing(bob, WITH_LEFT)
    await sync()
    await bob.post(f"rooms/{room_id}/leave")
    assert set((await sync())["rooms"]["leave"]) == {room_id}
    assert not has_news(await sync())
    assert set((await Syncing(bob, WITH_LEFT)())["rooms"]["leave"]) == {room_id}
    assert "rooms" not in await Syncing(bob)()
    full = await sync(full_state=True)
    state = whole(full["rooms"]["leave"][room_id])
    assert state["m.room.create", ""]


async def test_paging_back_from_a_left_room_goes_on_before_its_timeline(server_on_each: TestServer) -> None:
    alice, bob = await server_on_each.register("alice"), await server_on_each.register("bob")
    room_id = await public_room(alice, bob)
    sent = [await alice.send(room_id, str(number)) for number in range(5)]
    await bob.post(f"rooms/{room_id}/leave")
    await alice.send(room_id, "later")
    wanted = {"room": {"include_leave": True, "timeline": {"limit": 2}}}
    section = (await Syncing(bob, wanted)())["rooms"]["leave"][room_id]
    assert bodies(section) == ["4"]
    page = await bob.get(f"rooms/{room_id}/messages", dir="b", limit=3, from_=section["timeline"]["prev_batch"])
    assert [e["event_id"] for e in page["chunk"]] == sent[3:0:-1]


async def test_a_forgotten_room_is_gone(server_on_each: TestServer) -> None:
    alice, bob = await server_on_each.register("alice"), await server_on_each.register("bob")
    laptop = await server_on_each.login("bob")
    room_id = await public_room(alice, bob)
    there = Syncing(laptop)
    await there()
    await alice.send(room_id, "before leaving")
    await bob.post(f"rooms/{room_id}/leave")
    await bob.post(f"rooms/{room_id}/forget")
    assert "rooms" not in await Syncing(bob, WITH_LEFT)()
    # The other device still learns that the room is gone, and nothing else.
    section = (await there())["rooms"]["leave"][room_id]
    assert [e["content"]["membership"] for e in section["timeline"]["events"]] == ["leave"]
    assert section["state"]["events"] == []
    await alice.post(f"rooms/{room_id}/invite", {"user_id": bob.user_id})
    assert set((await there())["rooms"]["invite"]) == {room_id}


async def invited(server: TestServer, **body: Any) -> tuple[Client, Client, str]:
    alice, bob = await server.register("alice"), await server.register("bob")
    await alice.put(f"profile/{alice.user_id}/displayname", {"displayname": "Alice"})
    room_id = await alice.create_room(preset="private_chat", name="A room", topic="Secrets", **body)
    return alice, bob, room_id


async def test_an_invite_shows_the_room_and_who_invites(server_on_each: TestServer) -> None:
    alice, bob, room_id = await invited(server_on_each)
    await alice.send(room_id, "secret")
    sync = Syncing(bob)
    await sync()
    await alice.post(f"rooms/{room_id}/invite", {"user_id": bob.user_id})
    for answer in (await sync(), await Syncing(bob)(), await sync(full_state=True)):
        assert set(answer["rooms"]) == {"invite"}
        events = answer["rooms"]["invite"][room_id]["invite_state"]["events"]
        assert all(set(e) == {"content", "sender", "state_key", "type"} for e in events)
        state = state_of(events)
        assert state["m.room.create", ""]["room_version"]
        assert state["m.room.name", ""] == {"name": "A room"}
        assert state["m.room.join_rules", ""] == {"join_rule": "invite"}
        assert state["m.room.member", alice.user_id]["displayname"] == "Alice"
        assert state["m.room.member", bob.user_id]["membership"] == "invite"
        assert "secret" not in str(events)
    assert not has_news(await sync())


async def test_an_invite_that_is_turned_down_or_taken_back_ends(server_on_each: TestServer) -> None:
    alice, bob, room_id = await invited(server_on_each)
    for client, path, body in (
        (bob, "leave", {}),
        (alice, "kick", {"user_id": bob.user_id}),
        (alice, "ban", {"user_id": bob.user_id}),
    ):
        await alice.post(f"rooms/{room_id}/invite", {"user_id": bob.user_id})
        sync = Syncing(bob)
        await sync()
        await alice.send(room_id, "secret")
        await client.post(f"rooms/{room_id}/{path}", body)
        answer = await sync()
        assert set(answer["rooms"]) == {"leave"}
        section = answer["rooms"]["leave"][room_id]
        assert [e["state_key"] for e in section["timeline"]["events"]] == [bob.user_id]
        assert section["state"]["events"] == []
        assert "rooms" not in await Syncing(bob)()


async def test_an_invite_that_is_taken_moves_to_the_joined_rooms(server_on_each: TestServer) -> None:
    alice, bob, room_id = await invited(server_on_each)
    await alice.post(f"rooms/{room_id}/invite", {"user_id": bob.user_id})
    sync = Syncing(bob)
    await sync()
    await bob.post(f"join/{room_id}")
    answer = await sync()
    assert set(answer["rooms"]) == {"join"}
    assert whole(answer["rooms"]["join"][room_id]) == state_of(await bob.get(f"rooms/{room_id}/state"))


async def test_a_knock_shows_the_room(server_on_each: TestServer) -> None:
    alice, bob = await server_on_each.register("alice"), await server_on_each.register("bob")
    rule = {"type": "m.room.join_rules", "content": {"join_rule": "knock"}}
    room_id = await alice.create_room(preset="private_chat", name="A room", initial_state=[rule])
    sync = Syncing(bob)
    await sync()
    await bob.post(f"knock/{room_id}", {"reason": "let me in"})
    answer = await sync()
    assert set(answer["rooms"]) == {"knock"}
    state = state_of(answer["rooms"]["knock"][room_id]["knock_state"]["events"])
    assert state["m.room.create", ""]
    assert state["m.room.name", ""] == {"name": "A room"}
    assert state["m.room.member", bob.user_id] == {"membership": "knock", "reason": "let me in", **_name(state, bob)}
    assert set((await Syncing(bob)())["rooms"]) == {"knock"}
    await alice.post(f"rooms/{room_id}/kick", {"user_id": bob.user_id})
    assert set((await sync())["rooms"]) == {"leave"}


def _name(state: Any, client: Client) -> dict[str, Any]:
    content = state["m.room.member", client.user_id]
    return {name: content[name] for name in ("displayname", "avatar_url") if name in content}


async def test_ignored_users_neither_invite_nor_speak_but_still_change_rooms(server_on_each: TestServer) -> None:
    alice, bob, carol = [await server_on_each.register(name) for name in ("alice", "bob", "carol")]
    room_id = await public_room(alice, bob, carol)
    sync = Syncing(bob)
    await sync()
    data = f"user/{bob.user_id}/account_data/m.ignored_user_list"
    await bob.put(data, {"ignored_users": {alice.user_id: {}}})
    await sync()
    other = await alice.create_room(invite=[bob.user_id])
    await alice.send(room_id, "ignored")
    kept = await carol.send(room_id, "heard")
    topic = await set_state(alice, room_id, "m.room.topic", {"topic": "new"})
    answer = await sync()
    assert set(answer["rooms"]) == {"join"}
    assert event_ids(answer["rooms"]["join"][room_id]) == [kept, topic]
    assert "ignored" not in bodies(await Syncing(bob).joined(room_id))
    await bob.put(data, {"ignored_users": {}})
    await sync()
    await alice.send(room_id, "back")
    assert bodies(await sync.joined(room_id)) == ["back"]
    assert set((await Syncing(bob)())["rooms"]["invite"]) == {other}


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("use_state_after", "state_after"),
        ("org.matrix.msc4222.use_state_after", "org.matrix.msc4222.state_after"),
    ],
)
async def test_state_after_the_timeline(server_on_each: TestServer, name: str, part: str) -> None:
    alice, bob = await server_on_each.register("alice"), await server_on_each.register("bob")
    room_id = await public_room(alice, name="one")
    sync = Syncing(alice, {"room": {"timeline": {"limit": 2}}}, **{name: True})
    section = await sync.joined(room_id)
    assert "state" not in section
    assert state_of(section[part]["events"]) == state_of(await alice.get(f"rooms/{room_id}/state"))
    await alice.send(room_id, "no state")
    assert (await sync.joined(room_id))[part] == {"events": []}
    await set_state(alice, room_id, "m.room.name", {"name": "two"})
    section = await sync.joined(room_id)
    assert state_of(section[part]["events"]) == {("m.room.name", ""): {"name": "two"}}
    assert [e["type"] for e in section["timeline"]["events"]] == ["m.room.name"]
    # A gap, with a change before it and one after it.
    await set_state(alice, room_id, "m.room.topic", {"topic": "in the gap"})
    await alice.send(room_id, "x")
    await set_state(alice, room_id, "m.room.name", {"name": "three"})
    await alice.send(room_id, "y")
    section = await sync.joined(room_id)
    assert state_of(section[part]["events"]) == {
        ("m.room.topic", ""): {"topic": "in the gap"},
        ("m.room.name", ""): {"name": "three"},
    }
    # The same key twice: the last one counts.
    await set_state(alice, room_id, "m.room.name", {"name": "four"})
    await set_state(alice, room_id, "m.room.name", {"name": "five"})
    assert state_of((await sync.joined(room_id))[part]["events"]) == {("m.room.name", ""): {"name": "five"}}
    # Hidden by the filter of the timeline.
    hidden = Syncing(alice, {"room": {"timeline": {"types": ["m.room.message"]}}}, **{name: True})
    await hidden()
    await set_state(alice, room_id, "m.room.name", {"name": "six"})
    assert state_of((await hidden.joined(room_id))[part]["events"]) == {("m.room.name", ""): {"name": "six"}}
    # Entered, and left.
    bobs = Syncing(bob, **{name: True})
    await bobs()
    await bob.post(f"join/{room_id}")
    section = await bobs.joined(room_id)
    assert state_of(section[part]["events"]) == state_of(await bob.get(f"rooms/{room_id}/state"))
    await bob.post(f"rooms/{room_id}/leave")
    await set_state(alice, room_id, "m.room.name", {"name": "seven"})
    section = (await bobs())["rooms"]["leave"][room_id]
    assert "state" not in section
    assert set(state_of(section[part]["events"])) == {("m.room.member", bob.user_id)}


async def test_the_state_filter_chooses_state(server: TestServer) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    room_id = await public_room(alice, bob, name="A room")
    for wanted, expected in (
        ({"types": ["m.room.name"]}, {("m.room.name", "")}),
        ({"types": []}, set()),
        ({"not_types": ["m.room.*"]}, set()),
        ({"senders": [bob.user_id]}, {("m.room.member", bob.user_id)}),
        ({"types": ["m.room.member"], "lazy_load_members": True}, {("m.room.member", bob.user_id)}),
    ):
        section = await Syncing(bob, {"room": {"state": wanted, "timeline": {"limit": 0}}}).joined(room_id)
        assert set(state_of(section["state"]["events"])) == expected


async def test_a_room_that_fell_out_of_memory_is_told_all_the_same(server_on_each: TestServer) -> None:
    alice, bob = await server_on_each.register("alice"), await server_on_each.register("bob")
    room_id = await public_room(alice, bob, name="A room")
    sync = Syncing(bob)
    await sync()
    rooms = server_on_each.app.services[Rooms]
    for number in range(30):
        await alice.send(room_id, str(number))
    carol = await server_on_each.register("carol")
    await carol.post(f"join/{room_id}")
    await set_state(alice, room_id, "m.room.topic", {"topic": "x"})
    rooms.drop(room_id)
    section = await sync.joined(room_id)
    assert section["timeline"]["limited"] is True
    assert whole(section)["m.room.topic", ""] == {"topic": "x"}
    assert carol.user_id in {
        **members(section),
        **{e["state_key"]: 1 for e in section["timeline"]["events"] if e["type"] == "m.room.member"},
    }
    assert section["unread_notifications"]["notification_count"] == 30
