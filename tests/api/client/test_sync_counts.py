"""Notification counts and summaries in sync answers."""

from typing import Any

import pytest

from inprocess import Client, TestServer
from myelin.services.rooms.cache import Rooms
from syncing import Syncing, counts, public_room, set_state, woken

THREADED: dict[str, Any] = {"room": {"timeline": {"unread_thread_notifications": True}}}


async def pair(server: TestServer, **body: Any) -> tuple[Client, Client, str]:
    """Two members of a room."""
    alice, bob = await server.register("alice"), await server.register("bob")
    return alice, bob, await public_room(alice, bob, name="A room", **body)


async def read(client: Client, room_id: str, event_id: str, kind: str = "m.read", **body: Any) -> None:
    """Send a receipt."""
    await client.post(f"rooms/{room_id}/receipt/{kind}/{event_id}", body)


def reply(root: str, text: str = "reply") -> dict[str, Any]:
    """A message in a thread."""
    return {"msgtype": "m.text", "body": text, "m.relates_to": {"rel_type": "m.thread", "event_id": root}}


def threads(section: Any) -> dict[str, int]:
    """Unread notifications by thread root."""
    return {root: one["notification_count"] for root, one in section.get("unread_thread_notifications", {}).items()}


async def test_messages_of_others_count_until_they_are_read(server_on_each: TestServer) -> None:
    alice, bob, room_id = await pair(server_on_each)
    sync = Syncing(bob)
    assert counts(await sync.joined(room_id)) == (0, 0)
    sent = [await alice.send(room_id, f"message {number}") for number in range(3)]
    assert counts(await sync.joined(room_id)) == (3, 0)
    await read(bob, room_id, sent[1])
    assert counts(await sync.joined(room_id)) == (1, 0)
    await read(bob, room_id, sent[2], "m.read.private")
    assert counts(await sync.joined(room_id)) == (0, 0)
    # A receipt that lags behind the other one changes nothing.
    await alice.send(room_id, "more")
    assert counts(await sync.joined(room_id)) == (1, 0)
    await read(bob, room_id, sent[2])
    assert counts(await Syncing(bob).joined(room_id)) == (1, 0)


async def test_counts_are_the_same_after_the_room_was_read_anew(server_on_each: TestServer) -> None:
    alice, bob, room_id = await pair(server_on_each)
    for number in range(60):
        await alice.send(room_id, f"message {number}")
    assert counts(await Syncing(bob).joined(room_id)) == (60, 0)
    server_on_each.app.services[Rooms].drop(room_id)
    assert counts(await Syncing(bob).joined(room_id)) == (60, 0)


async def test_mentions_are_highlighted(server_on_each: TestServer) -> None:
    alice, bob, room_id = await pair(server_on_each)
    sync = Syncing(bob)
    await sync()
    await alice.send(room_id, {"msgtype": "m.text", "body": "you", "m.mentions": {"user_ids": [bob.user_id]}})
    assert counts(await sync.joined(room_id)) == (1, 1)
    await alice.send(room_id, {"msgtype": "m.text", "body": "all", "m.mentions": {"room": True}})
    assert counts(await sync.joined(room_id)) == (2, 2)


async def test_rules_that_look_for_ones_name_find_it_in_a_room_read_anew(server_on_each: TestServer) -> None:
    alice, bob, room_id = await pair(server_on_each)
    rule = {"conditions": [{"kind": "contains_display_name"}], "actions": ["notify", {"set_tweak": "highlight"}]}
    await bob.put("pushrules/global/override/my_name", rule)
    await bob.put(f"profile/{bob.user_id}/displayname", {"displayname": "Bobby"})
    server_on_each.app.services[Rooms].drop(room_id)
    await alice.send(room_id, "what does Bobby think?")
    assert counts(await Syncing(bob).joined(room_id)) == (1, 1)


async def test_what_one_writes_has_been_read_up_to_there(server_on_each: TestServer) -> None:
    alice, bob, room_id = await pair(server_on_each)
    sync = Syncing(bob)
    await alice.send(room_id, "hello")
    assert counts(await sync.joined(room_id)) == (1, 0)
    await bob.send(room_id, "hi")
    assert counts(await sync.joined(room_id)) == (0, 0)
    assert counts(await Syncing(bob).joined(room_id)) == (0, 0)


async def test_edits_reactions_notices_and_state_do_not_count(server_on_each: TestServer) -> None:
    alice, bob, room_id = await pair(server_on_each)
    sync = Syncing(bob)
    await sync()
    sent = await alice.send(room_id, "hello")
    new = {"msgtype": "m.text", "body": "hallo"}
    edit = {**new, "body": "* hallo", "m.new_content": new, "m.relates_to": {"rel_type": "m.replace", "event_id": sent}}
    await alice.send(room_id, edit)
    like = {"rel_type": "m.annotation", "event_id": sent, "key": "+"}
    await alice.send(room_id, {"m.relates_to": like}, "m.reaction")
    await alice.send(room_id, {"msgtype": "m.notice", "body": "beep"})
    await set_state(alice, room_id, "m.room.topic", {"topic": "x"})
    assert counts(await sync.joined(room_id)) == (1, 0)


async def test_what_is_redacted_counts_no_more(server_on_each: TestServer) -> None:
    alice, bob, room_id = await pair(server_on_each)
    sync = Syncing(bob)
    await sync()
    gone = await alice.send(room_id, "oops")
    await alice.send(room_id, "hello")
    assert counts(await sync.joined(room_id)) == (2, 0)
    await alice.put(f"rooms/{room_id}/redact/{gone}/r", {})
    assert counts(await sync.joined(room_id)) == (1, 0)
    server_on_each.app.services[Rooms].drop(room_id)
    assert counts(await Syncing(bob).joined(room_id)) == (1, 0)


async def test_threads_count_by_themselves(server_on_each: TestServer) -> None:
    alice, bob, room_id = await pair(server_on_each)
    sync, plain = Syncing(bob, THREADED), Syncing(bob)
    one, two = await alice.send(room_id, "one"), await alice.send(room_id, "two")
    in_one = await alice.send(room_id, reply(one))
    await alice.send(room_id, reply(two))
    await alice.send(room_id, reply(two))
    section = await sync.joined(room_id)
    assert (counts(section), threads(section)) == ((2, 0), {one: 1, two: 2})
    section = await plain.joined(room_id)
    assert (counts(section), threads(section)) == ((5, 0), {})
    await read(bob, room_id, in_one, thread_id=one)
    section = await sync.joined(room_id)
    assert (counts(section), threads(section)) == ((2, 0), {two: 2})
    await read(bob, room_id, two, thread_id="main")
    section = await sync.joined(room_id)
    assert (counts(section), threads(section)) == ((0, 0), {two: 2})
    for anew in (Syncing(bob, THREADED),):
        section = await anew.joined(room_id)
        assert (counts(section), threads(section)) == ((0, 0), {two: 2})
    last = await alice.send(room_id, "last")
    await read(bob, room_id, last)
    section = await sync.joined(room_id)
    assert (counts(section), threads(section)) == ((0, 0), {})


async def test_what_relates_to_a_threads_message_is_in_the_thread(server_on_each: TestServer) -> None:
    alice, bob, room_id = await pair(server_on_each)
    sync = Syncing(bob, THREADED)
    root = await alice.send(room_id, "root")
    inside = await alice.send(room_id, reply(root))
    beside = {"rel_type": "m.reference", "event_id": inside}
    await alice.send(room_id, {"msgtype": "m.text", "body": "look", "m.relates_to": beside})
    section = await sync.joined(room_id)
    assert (counts(section), threads(section)) == ((1, 0), {root: 2})
    # Whoever writes in a thread has read the thread, and nothing else.
    await bob.send(room_id, reply(root, "yes"))
    section = await sync.joined(room_id)
    assert (counts(section), threads(section)) == ((1, 0), {})


async def test_other_rules_count_again_and_tell_so(server_on_each: TestServer) -> None:
    alice, bob, room_id = await pair(server_on_each)
    quiet = await public_room(alice, bob, name="Read")
    sync, laptop = Syncing(bob), Syncing(await server_on_each.login("bob"))
    await alice.send(room_id, "hello")
    await sync()
    assert counts(await laptop.joined(room_id)) == (1, 0)
    await bob.put(f"pushrules/global/room/{room_id}", {"actions": []})
    for device in (sync, laptop):
        joined = (await device())["rooms"]["join"]
        assert set(joined) == {room_id}
        assert counts(joined[room_id]) == (0, 0)
    await alice.send(room_id, "muted")
    await alice.send(quiet, "not muted")
    joined = (await sync())["rooms"]["join"]
    assert (counts(joined[room_id]), counts(joined[quiet])) == ((0, 0), (1, 0))
    (await bob("DELETE", f"pushrules/global/room/{room_id}")).ok()
    assert counts(await sync.joined(room_id)) == (2, 0)


async def test_who_is_ignored_does_not_count(server_on_each: TestServer) -> None:
    alice, bob, room_id = await pair(server_on_each)
    sync = Syncing(bob)
    await alice.send(room_id, "hello")
    assert counts(await sync.joined(room_id)) == (1, 0)
    data = f"user/{bob.user_id}/account_data/m.ignored_user_list"
    await bob.put(data, {"ignored_users": {alice.user_id: {}}})
    assert counts(await sync.joined(room_id)) == (0, 0)
    await alice.send(room_id, "hello again")
    assert counts(await Syncing(bob).joined(room_id)) == (0, 0)


async def test_only_what_came_after_ones_own_join_counts(server_on_each: TestServer) -> None:
    alice, bob, room_id = await pair(server_on_each)
    sync = Syncing(bob)
    await alice.send(room_id, "one")
    assert counts(await sync.joined(room_id)) == (1, 0)
    # A new name is no new join.
    await bob.put(f"profile/{bob.user_id}/displayname", {"displayname": "Bobby"})
    server_on_each.app.services[Rooms].drop(room_id)
    await alice.send(room_id, "two")
    await bob.post(f"rooms/{room_id}/leave")
    await alice.send(room_id, "while Bob is away")
    await bob.post(f"join/{room_id}")
    assert counts(await sync.joined(room_id)) == (0, 0)
    await alice.send(room_id, "welcome back")
    assert counts(await sync.joined(room_id)) == (1, 0)


async def test_counts_change_also_where_the_filter_hides_the_events(server: TestServer) -> None:
    alice, bob, room_id = await pair(server)
    sync = Syncing(bob, {"room": {"timeline": {"types": ["m.room.name"]}, "ephemeral": {"types": []}}})
    await sync()
    sent = await alice.send(room_id, "hello")
    assert counts(await sync.joined(room_id)) == (1, 0)
    poll = await sync.poll(server)
    await read(bob, room_id, sent)
    assert counts((await woken(poll))["rooms"]["join"][room_id]) == (0, 0)


async def test_heroes_are_who_came_first(server_on_each: TestServer) -> None:
    names = ("zoe", "yan", "xia", "wim", "vera", "una", "tom")
    clients = [await server_on_each.register(name) for name in names]
    zoe, *others = clients
    room_id = await public_room(zoe, *others[:-1])
    await zoe.post(f"rooms/{room_id}/invite", {"user_id": others[-1].user_id})
    summary = (await Syncing(zoe).joined(room_id))["summary"]
    assert summary == {
        "m.heroes": [c.user_id for c in others[:5]],
        "m.joined_member_count": 6,
        "m.invited_member_count": 1,
    }
    summary = (await Syncing(others[0]).joined(room_id))["summary"]
    assert summary["m.heroes"] == [c.user_id for c in (zoe, *others[1:5])]


async def test_the_summary_follows_members_and_names(server_on_each: TestServer) -> None:
    alice, bob = await server_on_each.register("alice"), await server_on_each.register("bob")
    room_id = await public_room(alice)
    sync = Syncing(alice)
    assert (await sync.joined(room_id))["summary"]["m.heroes"] == []
    await bob.post(f"join/{room_id}")
    section = await sync.joined(room_id)
    assert section["summary"] == {
        "m.heroes": [bob.user_id],
        "m.joined_member_count": 2,
        "m.invited_member_count": 0,
    }
    await bob.send(room_id, "hello")
    assert "summary" not in await sync.joined(room_id)
    # Whoever has gone is named where nobody else is there.
    await bob.post(f"rooms/{room_id}/leave")
    section = await sync.joined(room_id)
    assert section["summary"] == {"m.heroes": [bob.user_id], "m.joined_member_count": 1, "m.invited_member_count": 0}
    await set_state(alice, room_id, "m.room.name", {"name": "A room"})
    assert "m.heroes" not in (await sync.joined(room_id))["summary"]
    await set_state(alice, room_id, "m.room.name", {"name": ""})
    assert (await sync.joined(room_id))["summary"]["m.heroes"] == [bob.user_id]
    await set_state(alice, room_id, "m.room.name", {"name": 7})
    assert (await sync.joined(room_id))["summary"]["m.heroes"] == [bob.user_id]


@pytest.mark.parametrize("kind", ["m.room.message", "m.room.encrypted"])
async def test_a_message_in_a_room_of_two_counts(server_on_each: TestServer, kind: str) -> None:
    alice, bob, room_id = await pair(server_on_each)
    sync = Syncing(bob)
    await sync()
    await alice.send(room_id, {"body": "x", "msgtype": "m.text", "algorithm": "m.megolm.v1.aes-sha2"}, kind)
    assert counts(await sync.joined(room_id)) == (1, 0)
