"""Visibility: who left, was removed or banned hears nothing of what came after; who never came in, nothing at all."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from inprocess import Client, TestServer

LATER = "said-when-the-door-was-shut"


async def leave(_: Client, mallory: Client, room: str) -> None:
    await mallory.post(f"rooms/{room}/leave")


async def kick(alice: Client, mallory: Client, room: str) -> None:
    await alice.post(f"rooms/{room}/kick", {"user_id": mallory.user_id})


async def ban(alice: Client, mallory: Client, room: str) -> None:
    await alice.post(f"rooms/{room}/ban", {"user_id": mallory.user_id})


GOING = {"left": leave, "kicked": kick, "banned": ban}


@pytest.mark.parametrize("visibility", ["joined", "invited", "shared"])
@pytest.mark.parametrize("going", GOING.values(), ids=GOING)
async def test_s_cve_2024_53867_visible_after_leaving_or_being_banned(
    alice: Client, mallory: Client, going: Callable[[Client, Client, str], Awaitable[None]], visibility: str
) -> None:
    history = [{"type": "m.room.history_visibility", "state_key": "", "content": {"history_visibility": visibility}}]
    room = await alice.create_room(preset="public_chat", initial_state=history)
    await mallory.post(f"rooms/{room}/join")
    early = await alice.send(room, "early")
    since = (await mallory.get("sync"))["next_batch"]
    await going(alice, mallory, room)
    after = (await mallory.get("sync", since=since))["next_batch"]
    later = await all_that_comes_after(alice, room, early)
    seen = await everything(mallory, room, [early, *later], since, after)
    assert [what for what, data in seen.items() if LATER.encode() in data] == []
    assert b"early" in seen["messages b"]


async def all_that_comes_after(alice: Client, room: str, early: str) -> list[str]:
    """Messages, an edit and a thread on what was seen, state, a name, typing, receipts."""
    said = await alice.send(room, LATER)
    edit = {"rel_type": "m.replace", "event_id": early}
    edited = {"msgtype": "m.text", "body": LATER, "m.new_content": {"body": LATER}, "m.relates_to": edit}
    thread = {"rel_type": "m.thread", "event_id": early}
    sent = [
        await alice.send(room, edited),
        await alice.send(room, {"msgtype": "m.text", "body": LATER, "m.relates_to": thread}),
    ]
    for event_type, key in (("m.room.topic", "topic"), ("m.room.name", "name")):
        path = f"rooms/{room}/state/{event_type}/"
        sent.append((await alice.put(path, {key: LATER}))["event_id"])
    await alice.put(f"rooms/{room}/state/m.room.member/{alice.user_id}", {"membership": "join", "displayname": LATER})
    await alice.put(f"rooms/{room}/typing/{alice.user_id}", {"typing": True, "timeout": 30_000})
    await alice.post(f"rooms/{room}/receipt/m.read/{said}")
    return [said, *sent]


async def everything(who: Client, room: str, events: list[str], since: str, after: str) -> dict[str, bytes]:
    """All that the server says about the room, by what was asked."""
    v1, v3 = f"/_matrix/client/v1/rooms/{room}", f"rooms/{room}"
    with_left = '{"room":{"include_leave":true}}'
    asked: dict[str, tuple[str, str, Any, dict[str, Any]]] = {
        "messages b": ("GET", f"{v3}/messages", None, {"dir": "b", "limit": 100}),
        "messages f": ("GET", f"{v3}/messages", None, {"dir": "f", "limit": 100}),
        "messages f since": ("GET", f"{v3}/messages", None, {"dir": "f", "limit": 100, "from_": since}),
        "state": ("GET", f"{v3}/state", None, {}),
        "topic": ("GET", f"{v3}/state/m.room.topic/", None, {}),
        "members": ("GET", f"{v3}/members", None, {}),
        "joined members": ("GET", f"{v3}/joined_members", None, {}),
        "initial sync": ("GET", f"{v3}/initialSync", None, {}),
        "threads": ("GET", f"{v1}/threads", None, {}),
        "relations": ("GET", f"{v1}/relations/{events[0]}", None, {"recurse": True}),
        "by time": ("GET", f"{v1}/timestamp_to_event", None, {"ts": 4_000_000_000_000, "dir": "b"}),
        "sync": ("GET", "sync", None, {"filter": with_left, "full_state": True}),
        "sync since": ("GET", "sync", None, {"filter": with_left, "since": since}),
        "sync after": ("GET", "sync", None, {"filter": with_left, "since": after}),
        "events": ("GET", "events", None, {"from_": after, "timeout": 0}),
        "notifications": ("GET", "notifications", None, {}),
        "search": ("POST", "search", {"search_categories": {"room_events": {"search_term": "shut"}}}, {}),
        "sliding": (
            "POST",
            "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync",
            {
                "lists": {"a": {"ranges": [[0, 9]], "timeline_limit": 20, "required_state": [["*", "*"]]}},
                "room_subscriptions": {room: {"timeline_limit": 20, "required_state": [["*", "*"]]}},
                "extensions": {"receipts": {"enabled": True}, "typing": {"enabled": True}},
            },
            {},
        ),
    }
    for event_id in events:
        asked[f"event {event_id}"] = ("GET", f"{v3}/event/{event_id}", None, {})
        asked[f"context {event_id}"] = ("GET", f"{v3}/context/{event_id}", None, {"limit": 50})
    return {name: (await who(method, path, body, **query)).data for name, (method, path, body, query) in asked.items()}


async def test_s_cve_2024_53867_state_before_joining(alice: Client, mallory: Client) -> None:
    history = [{"type": "m.room.history_visibility", "state_key": "", "content": {"history_visibility": "joined"}}]
    room = await alice.create_room(preset="public_chat", initial_state=history)
    events = [await alice.send(room, LATER)]
    await alice.put(f"rooms/{room}/state/m.room.topic/", {"topic": LATER})
    await alice.put(f"rooms/{room}/state/m.room.topic/", {"topic": "now"})
    await mallory.post(f"rooms/{room}/join")
    seen = await everything(mallory, room, events, "", "")
    assert [what for what, data in seen.items() if LATER.encode() in data] == []


async def test_the_invited_see_the_invitation_and_no_more(alice: Client, mallory: Client) -> None:
    room = await alice.create_room(invite=[mallory.user_id])
    events = [await alice.send(room, LATER)]
    seen = await everything(mallory, room, events, "", "")
    assert [what for what, data in seen.items() if LATER.encode() in data] == []


async def test_ephemeral_news_of_a_room_end_with_the_membership(alice: Client, mallory: Client) -> None:
    room = await alice.create_room(preset="public_chat")
    await mallory.post(f"rooms/{room}/join")
    event_id = await alice.send(room, "x")
    await kick(alice, mallory, room)
    since = (await mallory.get("sync"))["next_batch"]
    await alice.put(f"rooms/{room}/typing/{alice.user_id}", {"typing": True, "timeout": 30_000})
    await alice.post(f"rooms/{room}/receipt/m.read/{event_id}")
    await alice.put(f"presence/{alice.user_id}/status", {"presence": "online", "status_msg": LATER})
    answer = await mallory("GET", "sync", since=since)
    assert b"m.typing" not in answer.data
    assert b"m.receipt" not in answer.data
    assert LATER.encode() not in answer.data


async def test_redacted_is_redacted_wherever_it_is_shown(server: TestServer, alice: Client, mallory: Client) -> None:
    room = await alice.create_room(preset="public_chat")
    await mallory.post(f"rooms/{room}/join")
    early = await alice.send(room, "early")
    said = await alice.send(room, LATER)
    thread = {"rel_type": "m.thread", "event_id": early}
    reply = await alice.send(room, {"msgtype": "m.text", "body": LATER, "m.relates_to": thread})
    since = (await mallory.get("sync"))["next_batch"]
    for event_id in (said, reply):
        await alice.put(f"rooms/{room}/redact/{event_id}/r{event_id[1:5]}")
    seen = await everything(mallory, room, [early, said, reply], since, since)
    assert [what for what, data in seen.items() if LATER.encode() in data] == []
