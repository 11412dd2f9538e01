"""Sending messages, state and redactions over HTTP."""

import asyncio
from typing import Any
from urllib.parse import quote

import pytest

import seen
from inprocess import Client, TestServer
from myelin.services.accounts.accounts import AccountService


def reaction(event_id: str, key: str = "+1") -> dict[str, Any]:
    return {"m.relates_to": {"rel_type": "m.annotation", "event_id": event_id, "key": key}}


async def test_a_transaction_is_sent_once_for_a_device_and_room(server_on_each: TestServer) -> None:
    alice = await server_on_each.register("alice")
    phone = await server_on_each.login("alice")
    one, two = await alice.create_room(), await alice.create_room()
    path = "rooms/{}/send/m.room.message/t1"

    async def send(client: Client, room_id: str) -> str:
        return (await client.put(path.format(room_id), {"msgtype": "m.text", "body": "x"}))["event_id"]

    same = await asyncio.gather(*(send(alice, one) for _ in range(3)))
    assert len(set(same)) == 1
    others = {await send(alice, two), await send(phone, one)}
    assert len(others | set(same)) == 3
    assert len([e for e in await seen.timeline(server_on_each, one) if e.type == "m.room.message"]) == 2


async def test_only_members_with_power_send(server: TestServer) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    room_id = await alice.create_room(
        preset="public_chat", power_level_content_override={"events_default": 10, "events": {"org.example.x": 0}}
    )
    path = f"rooms/{room_id}/send"
    (await bob("PUT", f"{path}/m.room.message/1", {})).error(403, "M_FORBIDDEN")
    await bob.post(f"join/{room_id}")
    (await bob("PUT", f"{path}/m.room.message/2", {})).error(403, "M_FORBIDDEN")
    assert await bob.put(f"{path}/org.example.x/3", {})
    (await bob("PUT", "rooms/!none:hs1/send/m.room.message/4", {})).error(404, "M_NOT_FOUND")


@pytest.mark.parametrize(
    ("path", "body", "status", "errcode"),
    [
        ("m.room.message/1", b"{", 400, "M_NOT_JSON"),
        ("m.room.message/1", b"[]", 400, "M_BAD_JSON"),
        ("m.room.message/1", {"body": "x" * 70_000}, 413, "M_TOO_LARGE"),
        ("m.room.message/1", {"n": 1.5}, 400, "M_BAD_JSON"),
        ("m.room.message/1", {"n": 2**53}, 400, "M_BAD_JSON"),
        (f"{'x' * 256}/1", {}, 413, "M_TOO_LARGE"),
        ("m.room.create/1", {}, 403, "M_FORBIDDEN"),
        ("m.room.member/1", {"membership": "join"}, 403, "M_FORBIDDEN"),
        ("m.room.tombstone/1", {"replacement_room": "HERE"}, 400, "M_INVALID_PARAM"),
        ("m.room.redaction/1", {}, 400, "M_BAD_JSON"),
        ("m.room.redaction/1", {"redacts": "x"}, 400, "M_INVALID_PARAM"),
        ("m.room.redaction/1", {"redacts": "$none"}, 404, "M_NOT_FOUND"),
        ("m.room.message/%00", {}, 400, "M_INVALID_PARAM"),
        ("a%00b/1", {}, 400, "M_INVALID_PARAM"),
    ],
)
async def test_what_cannot_be_sent(server_on_each: TestServer, path: str, body: Any, status: int, errcode: str) -> None:
    alice = await server_on_each.register("alice")
    room_id = await alice.create_room()
    before = len(await seen.timeline(server_on_each, room_id))
    if isinstance(body, dict) and body.get("replacement_room") == "HERE":
        body = {"replacement_room": room_id}
        (await alice("PUT", f"rooms/{room_id}/state/m.room.tombstone/", body)).error(status, errcode)
    (await alice("PUT", f"rooms/{room_id}/send/{path}", body)).error(status, errcode)
    assert len(await seen.timeline(server_on_each, room_id)) == before
    assert await alice.send(room_id, "the room still works")


async def test_poison_spreading(server_on_each: TestServer) -> None:
    """Class "poison spreading": relations with names that no index can hold are kept as plain content."""
    alice = await server_on_each.register("alice")
    room_id = await alice.create_room()
    for relates_to in (
        {"rel_type": "\0", "event_id": "$x"},
        {"rel_type": "m.annotation", "event_id": "$\0", "key": "x"},
        {"rel_type": "m.annotation", "event_id": "$x", "key": "\0"},
        {"rel_type": "r" * 9_000, "event_id": "$x"},
        {"rel_type": "m.thread", "event_id": "$" + "x" * 9_000},
        {"rel_type": ["m.thread"], "event_id": {}},
        "m.thread",
    ):
        event_id = await alice.send(room_id, {"body": "\0", "m.relates_to": relates_to})
        await alice.put(f"rooms/{room_id}/redact/{event_id}/{event_id[1:9]}", {})


async def test_the_same_reaction_is_made_once(server_on_each: TestServer) -> None:
    alice, bob = await server_on_each.register("alice"), await server_on_each.register("bob")
    room_id = await alice.create_room(preset="public_chat")
    await bob.post(f"join/{room_id}")
    event_id = await alice.send(room_id, "cake?")
    path = f"rooms/{room_id}/send/m.reaction"
    first = await alice.put(f"{path}/1", reaction(event_id))
    assert await alice.put(f"{path}/1", reaction(event_id)) == first
    (await alice("PUT", f"{path}/2", reaction(event_id))).error(400, "M_DUPLICATE_ANNOTATION")
    await alice.put(f"{path}/3", reaction(event_id, "-1"))
    await bob.put(f"{path}/4", reaction(event_id))
    await alice.put(f"rooms/{room_id}/redact/{first['event_id']}/5", {})
    await alice.put(f"{path}/6", reaction(event_id))


@pytest.mark.parametrize("version", ["1", "3", "10", "11", "12"])
async def test_redactions_by_either_endpoint(server: TestServer, version: str) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    room_id = await alice.create_room(room_version=version, preset="public_chat")
    await bob.post(f"join/{room_id}")
    ids = [await alice.send(room_id, "a"), await bob.send(room_id, "b"), await bob.send(room_id, "c")]
    (await bob("PUT", f"rooms/{room_id}/redact/{quote(ids[0], safe='')}/1", {})).error(403, "M_FORBIDDEN")
    await bob.put(f"rooms/{room_id}/redact/{quote(ids[1], safe='')}/2", {"reason": "typo"})
    await alice.put(f"rooms/{room_id}/send/m.room.redaction/3", {"redacts": ids[2], "reason": "rude"})
    events = {e.event_id: e for e in await seen.timeline(server, room_id)}
    assert [events[i].content for i in ids] == [{"msgtype": "m.text", "body": "a"}, {}, {}]
    redaction = list(events.values())[-1]
    assert redaction.redacts == ids[2]
    at_top = "redacts" in redaction.raw
    assert at_top is (version not in ("11", "12"))
    assert ("redacts" in redaction.raw["content"]) is not at_top
    assert redaction.content["reason"] == "rude"


async def test_state_the_room_cannot_do_without_is_not_redacted(server: TestServer) -> None:
    alice = await server.register("alice")
    room_id = await alice.create_room(room_version="11")
    create = await seen.event(server, room_id, "m.room.create")
    assert create is not None
    (await alice("PUT", f"rooms/{room_id}/redact/{create.event_id}/1", {})).error(403, "M_FORBIDDEN")


async def test_events_of_other_rooms_are_not_redacted(server: TestServer) -> None:
    """Class "reading across rooms by event ID": an event is looked for in its own room alone."""
    alice, bob = await server.register("alice"), await server.register("bob")
    theirs, mine = await alice.create_room(), await bob.create_room()
    event_id = await alice.send(theirs, "secret")
    (await bob("PUT", f"rooms/{mine}/redact/{event_id}/1", {})).error(404, "M_NOT_FOUND")


async def test_state_keys_in_the_path(server: TestServer) -> None:
    alice = await server.register("alice")
    room_id = await alice.create_room()
    at = f"rooms/{room_id}/state/org.example.x"
    ids = [(await alice.put(path, {"n": n}))["event_id"] for n, path in enumerate((at, f"{at}/", f"{at}/a%2Fb%3F"))]
    assert len(set(ids)) == 3
    assert await seen.state(server, room_id, "org.example.x") == {"n": 1}
    assert await seen.state(server, room_id, "org.example.x", "a/b?") == {"n": 2}
    assert (await alice.put(at, {"n": 1}))["event_id"] == ids[1]
    (await alice("PUT", f"{at}/{'k' * 256}", {})).error(413, "M_TOO_LARGE")
    (await alice("PUT", f"rooms/{room_id}/state/m.room.create", {})).error(403, "M_FORBIDDEN")
    (await alice("PUT", f"{at}/@bob:hs1", {})).error(403, "M_FORBIDDEN")


async def test_creators_have_no_level_to_set(server: TestServer) -> None:
    alice = await server.register("alice")
    room_id = await alice.create_room()
    levels = await seen.state(server, room_id, "m.room.power_levels")
    path = f"rooms/{room_id}/state/m.room.power_levels"
    (await alice("PUT", path, {**levels, "users": {alice.user_id: 100}})).error(403, "M_FORBIDDEN")
    (await alice("PUT", path, {**levels, "users": {"@bob:hs1": "100"}})).error(403, "M_FORBIDDEN")
    await alice.put(path, {**levels, "users": {"@bob:hs1": 100}})


async def test_only_application_services_choose_the_time(server: TestServer) -> None:
    alice = await server.register("alice")
    room_id = await alice.create_room()
    await alice.put(f"rooms/{room_id}/send/m.room.message/1", {"body": "x"}, ts=5)
    assert (await seen.timeline(server, room_id))[-1].origin_server_ts > 5
    (await alice("PUT", f"rooms/{room_id}/send/m.room.message/2?ts=now", {})).error(400, "M_INVALID_PARAM")


@pytest.mark.parametrize(
    ("content", "errcode"),
    [
        ({"alias": "#tea:hs1"}, None),
        ({"alias": "", "alt_aliases": ["#tea:hs1"]}, None),
        ({"alias": None}, None),
        ({}, None),
        ({"alias": "#other:hs1"}, "M_BAD_ALIAS"),
        ({"alias": "#none:hs1"}, "M_BAD_ALIAS"),
        ({"alias": "#x:elsewhere"}, "M_BAD_ALIAS"),
        ({"alt_aliases": ["#tea:hs1", "#none:hs1"]}, "M_BAD_ALIAS"),
        ({"alias": "tea"}, "M_INVALID_PARAM"),
        ({"alias": 7}, "M_INVALID_PARAM"),
        ({"alt_aliases": "#tea:hs1"}, "M_INVALID_PARAM"),
        ({"alt_aliases": [None]}, "M_INVALID_PARAM"),
    ],
)
async def test_a_canonical_alias_points_to_its_room(
    server: TestServer, content: dict[str, Any], errcode: str | None
) -> None:
    alice = await server.register("alice")
    await alice.create_room(room_alias_name="other")
    room_id = await alice.create_room()
    await alice.put("directory/room/%23tea:hs1", {"room_id": room_id})
    answer = await alice("PUT", f"rooms/{room_id}/state/m.room.canonical_alias", content)
    if errcode is None:
        answer.ok()
        assert await seen.state(server, room_id, "m.room.canonical_alias") == content
    else:
        answer.error(400, errcode)


async def test_an_alias_that_went_away_may_stay_in_the_canonical_alias(server: TestServer) -> None:
    alice = await server.register("alice")
    room_id = await alice.create_room(room_alias_name="tea")
    await seen.room(server, room_id)
    await alice.put("directory/room/%23cup:hs1", {"room_id": room_id})
    path = f"rooms/{room_id}/state/m.room.canonical_alias"
    await alice.put(path, {"alias": "#tea:hs1", "alt_aliases": ["#cup:hs1"]})
    await alice.put(path, {"alias": "#cup:hs1", "alt_aliases": ["#tea:hs1"]})


async def test_a_suspended_account_leaves_and_takes_back_what_it_wrote(server: TestServer) -> None:
    admin, alice = await server.register("boss"), await server.register("alice")
    await server.app.services[AccountService].set_admin(admin.user_id, is_admin=True)
    room_id = await alice.create_room(invite=[admin.user_id])
    await admin.post(f"join/{room_id}")
    own, other = await alice.send(room_id, "mine"), await admin.send(room_id, "yours")
    await admin.put(f"/_matrix/client/v1/admin/suspend/{alice.user_id}", {"suspended": True})
    refused = [
        ("PUT", f"rooms/{room_id}/send/m.room.message/1", {}),
        ("PUT", f"rooms/{room_id}/state/m.room.topic", {}),
        ("PUT", f"rooms/{room_id}/redact/{other}/2", {}),
        ("POST", "createRoom", {}),
        ("POST", f"join/{room_id}", {}),
        ("POST", f"knock/{room_id}", {}),
        ("POST", f"rooms/{room_id}/invite", {"user_id": "@x:hs1"}),
        ("POST", f"rooms/{room_id}/kick", {"user_id": admin.user_id}),
        ("POST", f"rooms/{room_id}/upgrade", {"new_version": "12"}),
        ("PUT", "directory/room/%23tea:hs1", {"room_id": room_id}),
    ]
    for method, path, body in refused:
        (await alice(method, path, body)).error(403, "M_USER_SUSPENDED")
    await alice.put(f"rooms/{room_id}/redact/{own}/3", {})
    await alice.post(f"rooms/{room_id}/leave")


async def test_what_is_sent_without_a_transaction_is_sent_each_time(server_on_each: TestServer) -> None:
    alice = await server_on_each.register("alice")
    room_id = await alice.create_room()
    sent = [await alice.post(f"rooms/{room_id}/send/m.room.message", {"body": "x"}) for _ in range(2)]
    assert len({answer["event_id"] for answer in sent}) == 2
    target = sent[0]["event_id"]
    redaction = await alice.post(f"rooms/{room_id}/redact/{quote(target, safe='')}", {"reason": "typo"})
    events = {event.event_id: event for event in await seen.timeline(server_on_each, room_id)}
    assert events[target].content == {}
    assert events[redaction["event_id"]].content["reason"] == "typo"
    (await alice("POST", f"rooms/{room_id}/send/m.room.message", {"n": 1.5})).error(400, "M_BAD_JSON")
