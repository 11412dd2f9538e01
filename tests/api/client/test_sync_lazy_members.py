"""Members for clients that load them lazily."""

from typing import Any

import pytest

from inprocess import TestServer
from syncing import LAZY, Syncing, bodies, has_news, members, public_room, state_of

SHORT: dict[str, Any] = {"room": {"state": {"lazy_load_members": True}, "timeline": {"limit": 2}}}
REDUNDANT: dict[str, Any] = {
    "room": {"state": {"lazy_load_members": True, "include_redundant_members": True}, "timeline": {"limit": 2}}
}


async def crowd(server: TestServer, **body: Any) -> tuple[Any, ...]:
    """A room with a name and five members, of whom two have just spoken."""
    clients = [await server.register(name) for name in ("alice", "bob", "carol", "dave", "erin")]
    room_id = await public_room(*clients, name="A room", **body)
    await clients[1].send(room_id, "I am Bob")
    await clients[2].send(room_id, "I am Carol")
    return room_id, *clients


async def test_a_first_sync_has_the_senders_and_oneself(server_on_each: TestServer) -> None:
    room_id, alice, bob, carol, _, _ = await crowd(server_on_each)
    section = await Syncing(alice, SHORT).joined(room_id)
    assert set(members(section)) == {alice.user_id, bob.user_id, carol.user_id}
    others = {key for key in state_of(section["state"]["events"]) if key[0] != "m.room.member"}
    whole = state_of(await alice.get(f"rooms/{room_id}/state"))
    assert others == {key for key in whole if key[0] != "m.room.member"}


async def test_each_member_comes_when_they_first_speak_and_not_again(server_on_each: TestServer) -> None:
    room_id, alice, bob, _, dave, _ = await crowd(server_on_each)
    sync = Syncing(alice, SHORT)
    await sync()
    await bob.send(room_id, "known")
    assert members(await sync.joined(room_id)) == {}
    await dave.send(room_id, "new")
    assert members(await sync.joined(room_id)) == {dave.user_id: "join"}
    await dave.send(room_id, "not any more")
    assert members(await sync.joined(room_id)) == {}


async def test_who_wants_redundant_members_gets_the_senders_each_time(server_on_each: TestServer) -> None:
    room_id, alice, bob, *_ = await crowd(server_on_each)
    sync = Syncing(alice, REDUNDANT)
    await sync()
    for _ in range(2):
        await bob.send(room_id, "again")
        assert members(await sync.joined(room_id)) == {bob.user_id: "join"}


async def test_a_member_is_not_known_before_the_client_came_back(server_on_each: TestServer) -> None:
    """An answer may be lost on its way: the client asks again with the token that it has."""
    room_id, alice, _, _, dave, _ = await crowd(server_on_each)
    sync = Syncing(alice, SHORT)
    await sync()
    since = sync.since
    await dave.send(room_id, "lost")
    assert members(await sync.joined(room_id)) == {dave.user_id: "join"}
    await dave.send(room_id, "found")
    sync.since = since
    assert members(await sync.joined(room_id)) == {dave.user_id: "join"}


async def test_a_new_first_sync_forgets_what_the_client_knew(server_on_each: TestServer) -> None:
    room_id, alice, bob, carol, *_ = await crowd(server_on_each)
    for _ in range(2):
        sync = Syncing(alice, SHORT)
        assert {bob.user_id, carol.user_id} <= set(members(await sync.joined(room_id)))


async def test_each_device_has_its_own_members(server_on_each: TestServer) -> None:
    room_id, alice, _, _, dave, _ = await crowd(server_on_each)
    laptop = await server_on_each.login("alice")
    syncs = [Syncing(alice, SHORT), Syncing(laptop, SHORT)]
    for sync in syncs:
        await sync()
    await dave.send(room_id, "hello")
    for sync in syncs:
        assert members(await sync.joined(room_id)) == {dave.user_id: "join"}


async def test_after_a_gap_its_members_come_and_old_ones_who_speak_again(server_on_each: TestServer) -> None:
    room_id, alice, _, carol, dave, erin = await crowd(server_on_each)
    sync = Syncing(alice, SHORT)
    await sync()
    await dave.put(f"profile/{dave.user_id}/displayname", {"displayname": "David"})
    await carol.post(f"rooms/{room_id}/leave")
    for number in range(4):
        await erin.send(room_id, str(number))
    section = await sync.joined(room_id)
    assert section["timeline"]["limited"] is True
    assert members(section) == {dave.user_id: "join", carol.user_id: "leave", erin.user_id: "join"}
    # Redundant or not, what changes in a gap is told.
    await dave.put(f"profile/{dave.user_id}/displayname", {"displayname": "Dave"})
    for number in range(4):
        await erin.send(room_id, str(number))
    section = await sync.joined(room_id)
    assert members(section) == {dave.user_id: "join"}
    names = {e["state_key"]: e["content"].get("displayname") for e in section["state"]["events"]}
    assert names[dave.user_id] == "Dave"


async def test_before_the_timeline_a_sender_is_as_they_were_then(server_on_each: TestServer) -> None:
    """Else the client would show the message under the name that its sender took only later."""
    room_id, alice, _, _, dave, _ = await crowd(server_on_each)
    await dave.put(f"profile/{dave.user_id}/displayname", {"displayname": "Early"})
    sync_filter = {"room": {"state": {"lazy_load_members": True}, "timeline": {"limit": 3}}}
    sync = Syncing(alice, sync_filter)
    await alice.send(room_id, "one")
    await alice.send(room_id, "two")
    await alice.send(room_id, "three")
    await sync()
    await dave.send(room_id, "said early")
    await dave.put(f"profile/{dave.user_id}/displayname", {"displayname": "Late"})
    await dave.send(room_id, "said late")
    section = await sync.joined(room_id)
    assert bodies(section) == ["said early", "said late"]
    state = state_of(section["state"]["events"])
    assert state["m.room.member", dave.user_id]["displayname"] == "Early"
    whole = await Syncing(alice, sync_filter).joined(room_id)
    assert state_of(whole["state"]["events"])["m.room.member", dave.user_id]["displayname"] == "Early"


async def test_a_name_that_changed_is_told_again_when_its_owner_speaks(server_on_each: TestServer) -> None:
    room_id, alice, _, _, dave, _ = await crowd(server_on_each)
    sync = Syncing(alice, LAZY)
    await dave.send(room_id, "hello")
    await sync()
    await dave.put(f"profile/{dave.user_id}/displayname", {"displayname": "David"})
    # The change is in the timeline: the client has it from there.
    await sync()
    await dave.send(room_id, "hello again")
    assert members(await sync.joined(room_id)) == {}


async def test_the_heroes_of_a_room_without_a_name_are_among_its_members(server_on_each: TestServer) -> None:
    clients = [await server_on_each.register(name) for name in ("alice", "bob", "carol")]
    alice, bob, carol = clients
    room_id = await public_room(*clients)
    for number in range(3):
        await alice.send(room_id, str(number))
    section = await Syncing(alice, SHORT).joined(room_id)
    assert section["summary"]["m.heroes"] == [bob.user_id, carol.user_id]
    assert set(members(section)) == {c.user_id for c in clients}


@pytest.mark.parametrize(
    "query", [{"use_state_after": True}, {"org.matrix.msc4222.use_state_after": True}], ids=["stable", "unstable"]
)
async def test_state_after_has_the_members_that_the_timeline_changes(
    server_on_each: TestServer, query: dict[str, Any]
) -> None:
    room_id, alice, bob, _, dave, _ = await crowd(server_on_each)
    part = "state_after" if "use_state_after" in query else "org.matrix.msc4222.state_after"
    sync = Syncing(alice, LAZY, **query)
    await sync()
    frank = await server_on_each.register("frank")
    await frank.post(f"join/{room_id}")
    await alice.post(f"rooms/{room_id}/kick", {"user_id": bob.user_id})
    section = await sync.joined(room_id)
    assert members(section, part) == {frank.user_id: "join", bob.user_id: "leave"}
    whole = await Syncing(alice, LAZY, **query).joined(room_id)
    told = members(whole, part)
    assert told[frank.user_id] == "join"
    assert told[bob.user_id] == "leave"
    assert dave.user_id in told  # whose join is in the timeline


async def test_full_state_gives_senders_once_more(server_on_each: TestServer) -> None:
    room_id, alice, _, _, dave, _ = await crowd(server_on_each)
    sync = Syncing(alice, SHORT)
    await sync()
    await dave.send(room_id, "hello")
    await sync()
    await dave.send(room_id, "hello")
    section = await sync.joined(room_id, full_state=True)
    assert {alice.user_id, dave.user_id} <= set(members(section))
    assert not has_news(await sync())


async def test_who_joins_a_room_has_its_senders_and_themselves(server_on_each: TestServer) -> None:
    room_id, *_, erin = await crowd(server_on_each)
    frank = await server_on_each.register("frank")
    sync = Syncing(frank, SHORT)
    await sync()
    await erin.send(room_id, "welcome")
    await frank.post(f"join/{room_id}")
    section = await sync.joined(room_id)
    joined = {e["state_key"] for e in section["timeline"]["events"] if e["type"] == "m.room.member"}
    assert joined == {frank.user_id}
    assert erin.user_id in members(section)
    assert frank.user_id not in members(section)  # the timeline has it, and before it there was none
