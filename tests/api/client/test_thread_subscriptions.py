"""Subscribing to threads, by hand and by itself; what that changes for notifications; hearing of it (MSC4306/4308)."""

import asyncio
from typing import Any

import pytest

from inprocess import Client, TestServer
from sliding import Sliding, a_list

CHANGES = "/_matrix/client/unstable/io.element.msc4308/thread_subscriptions"
EXTENSION = "io.element.msc4308.thread_subscriptions"


def path(room_id: str, root: str) -> str:
    return f"/_matrix/client/unstable/io.element.msc4306/rooms/{room_id}/thread/{root}/subscription"


async def reply(client: Client, room_id: str, root: str, text: str = "reply", **content: Any) -> str:
    relation = {"rel_type": "m.thread", "event_id": root}
    return await client.send(room_id, {"msgtype": "m.text", "body": text, "m.relates_to": relation, **content})


async def scene(server: TestServer) -> tuple[Client, Client, str, str]:
    """Alice, Bob, their room and a thread's root."""
    alice, bob = await server.register("alice"), await server.register("bob")
    room_id = await alice.create_room(preset="public_chat")
    await bob.post(f"join/{room_id}")
    return alice, bob, room_id, await alice.send(room_id, "root")


async def test_a_subscription_begins_and_ends(server_on_each: TestServer) -> None:
    alice, bob, room_id, root = await scene(server_on_each)
    place = path(room_id, root)
    (await bob("GET", place)).error(404, "M_NOT_FOUND")
    (await bob("DELETE", place)).ok()
    assert await bob.put(place, {}) == {}
    assert await bob.get(place) == {"automatic": False}
    (await alice("GET", place)).error(404, "M_NOT_FOUND")
    (await bob("DELETE", place)).ok()
    (await bob("GET", place)).error(404, "M_NOT_FOUND")


async def test_what_a_user_says_stands_above_what_a_client_does(server_on_each: TestServer) -> None:
    alice, bob, room_id, root = await scene(server_on_each)
    place = path(room_id, root)
    cause = await reply(alice, room_id, root)
    await bob.put(place, {"automatic": cause})
    assert await bob.get(place) == {"automatic": True}
    await bob.put(place, {})
    await bob.put(place, {"automatic": cause})
    assert await bob.get(place) == {"automatic": False}


async def test_a_client_does_not_undo_that_its_user_unsubscribed(server_on_each: TestServer) -> None:
    alice, bob, room_id, root = await scene(server_on_each)
    place = path(room_id, root)
    before = await reply(alice, room_id, root)
    await bob.put(place, {"automatic": before})
    await bob("DELETE", place)
    for _ in range(2):
        (await bob("PUT", place, {"automatic": before})).error(409, "IO.ELEMENT.MSC4306.M_CONFLICTING_UNSUBSCRIPTION")
    after = await reply(alice, room_id, root)
    await bob.put(place, {"automatic": after})
    assert await bob.get(place) == {"automatic": True}


async def test_the_cause_must_be_in_the_thread(server: TestServer) -> None:
    alice, bob, room_id, root = await scene(server)
    other = await alice.send(room_id, "elsewhere")
    for cause in (other, root):
        answer = await bob("PUT", path(room_id, root), {"automatic": cause})
        answer.error(400, "IO.ELEMENT.MSC4306.M_NOT_IN_THREAD")
    (await bob("PUT", path(room_id, root), {"automatic": "$gone"})).error(404, "M_NOT_FOUND")
    (await bob("PUT", path(room_id, root), {"automatic": 7})).error(400, "M_BAD_JSON")


async def test_threads_that_nobody_shows_the_user_are_not_there(server: TestServer) -> None:
    alice = await server.register("alice")
    bob = await server.register("bob")
    room_id = await alice.create_room()
    root = await alice.send(room_id, "root")
    for method in ("GET", "PUT", "DELETE"):
        body = {} if method == "PUT" else None
        (await bob(method, path(room_id, root), body)).error(404, "M_NOT_FOUND")
        (await alice(method, path(room_id, "$none"), body)).error(404, "M_NOT_FOUND")
        (await alice(method, path("!none:hs1", root), body)).error(404, "M_NOT_FOUND")


async def counts(client: Client, room_id: str) -> tuple[int, int]:
    """Notifications and highlights of a room, its threads included."""
    wanted = '{"room":{"timeline":{"limit":1}}}'
    joined = (await client.get("sync", filter=wanted))["rooms"]["join"][room_id]["unread_notifications"]
    return joined["notification_count"], joined["highlight_count"]


async def test_who_never_subscribed_hears_of_threads_as_before(server: TestServer) -> None:
    alice, bob, room_id, root = await scene(server)
    await bob.post(f"rooms/{room_id}/receipt/m.read/{root}")
    await reply(alice, room_id, root)
    assert await counts(bob, room_id) == (1, 0)


async def test_only_subscribed_threads_notify(server_on_each: TestServer) -> None:
    alice, bob, room_id, root = await scene(server_on_each)
    second = await alice.send(room_id, "second root")
    await bob.post(f"rooms/{room_id}/receipt/m.read/{second}")
    await bob.put(path(room_id, root), {})
    await reply(alice, room_id, second)
    assert await counts(bob, room_id) == (0, 0)
    await reply(alice, room_id, root)
    assert await counts(bob, room_id) == (1, 0)
    await reply(alice, room_id, second, "hey", **{"m.mentions": {"user_ids": [bob.user_id]}})
    assert await counts(bob, room_id) == (2, 1)
    await bob.put(path(room_id, second), {})
    assert await counts(bob, room_id) == (3, 1)
    await bob("DELETE", path(room_id, root))
    assert await counts(bob, room_id) == (2, 1)
    listed = await bob.get("notifications")
    assert [n["read"] for n in listed["notifications"]].count(False) == 2


async def test_a_subscribed_thread_notifies_in_a_muted_room(server: TestServer) -> None:
    alice, bob, room_id, root = await scene(server)
    await bob.post(f"rooms/{room_id}/receipt/m.read/{root}")
    await bob.put(f"pushrules/global/room/{room_id}", {"actions": []})
    await bob.put(path(room_id, root), {})
    await alice.send(room_id, "plain")
    await reply(alice, room_id, root)
    assert await counts(bob, room_id) == (1, 0)


async def test_the_rules_are_the_servers_and_can_be_switched(server: TestServer) -> None:
    _, bob, room_id, root = await scene(server)
    rules = "pushrules/global/postcontent"
    silence = f"{rules}/.io.element.msc4306.rule.unsubscribed_thread"
    assert (await bob.get(silence))["enabled"] is False
    (await bob("PUT", f"{rules}/mine", {"actions": [], "conditions": []})).error(400, "M_INVALID_PARAM")
    (await bob("DELETE", silence)).error(404, "M_NOT_FOUND")
    await bob.put(f"{silence}/enabled", {"enabled": False})
    await bob.put(path(room_id, root), {})
    assert (await bob.get(silence))["enabled"] is False
    assert (await bob.get(f"{rules}/.io.element.msc4306.rule.subscribed_thread"))["enabled"] is True


async def test_clients_hear_of_changes(server_on_each: TestServer) -> None:
    alice, bob, room_id, root = await scene(server_on_each)
    other = await alice.send(room_id, "other root")
    await bob.put(path(room_id, other), {})
    await bob("DELETE", path(room_id, other))
    await bob.put(path(room_id, root), {})
    sliding = Sliding(bob, lists={"all": a_list()}, extensions={EXTENSION: {"enabled": True}})
    first = (await sliding())["extensions"][EXTENSION]
    assert list(first) == ["subscribed"]
    shown = first["subscribed"][room_id]
    assert list(shown) == [root]
    assert shown[root]["automatic"] is False
    assert EXTENSION not in (await sliding())["extensions"]
    waiting = asyncio.create_task(sliding(timeout_ms=20_000))
    cause = await reply(alice, room_id, other)
    await waiting
    waiting = asyncio.create_task(sliding(timeout_ms=20_000))
    await bob.put(path(room_id, other), {"automatic": cause})
    changed = (await waiting)["extensions"][EXTENSION]
    assert changed["subscribed"][room_id][other]["automatic"] is True
    assert changed["subscribed"][room_id][other]["bump_stamp"] > shown[root]["bump_stamp"]
    await bob("DELETE", path(room_id, root))
    ended = (await sliding())["extensions"][EXTENSION]
    assert list(ended) == ["unsubscribed"]
    assert list(ended["unsubscribed"][room_id]) == [root]


async def test_many_changes_are_read_back(server_on_each: TestServer) -> None:
    alice, bob, room_id, first = await scene(server_on_each)
    sliding = Sliding(bob, lists={"all": a_list()}, extensions={EXTENSION: {"enabled": True, "limit": 2}})
    await sliding()
    since = sliding.pos
    roots = [first, *[await alice.send(room_id, f"root {n}") for n in range(4)]]
    for root in roots:
        await bob.put(path(room_id, root), {})
    told = (await sliding())["extensions"][EXTENSION]
    assert set(told["subscribed"][room_id]) == set(roots[3:])
    page = await bob.get(CHANGES, dir="b", from_=told["prev_batch"], to=since, limit=2)
    assert set(page["subscribed"][room_id]) == set(roots[1:3])
    last = await bob.get(CHANGES, dir="b", from_=page["end"], to=since)
    assert (set(last["subscribed"][room_id]), "end" in last) == ({first}, False)
    assert set((await bob.get(CHANGES, dir="b"))["subscribed"][room_id]) == set(roots)
    assert await bob.get(CHANGES, dir="b", to=sliding.pos) == {}
    assert await alice.get(CHANGES, dir="b") == {}


@pytest.mark.parametrize(
    ("query", "errcode"),
    [
        ({}, "M_MISSING_PARAM"),
        ({"dir": "f"}, "M_INVALID_PARAM"),
        ({"dir": "b", "limit": 0}, "M_INVALID_PARAM"),
        ({"dir": "b", "from_": "x"}, "M_INVALID_PARAM"),
        ({"dir": "b", "to": "x"}, "M_UNKNOWN_POS"),
    ],
)
async def test_malformed_pages(server: TestServer, query: dict[str, Any], errcode: str) -> None:
    alice = await server.register("alice")
    (await alice("GET", CHANGES, **query)).error(400, errcode)
