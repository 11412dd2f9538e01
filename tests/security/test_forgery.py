"""Forgery: who a thing comes from is never what its body says."""

from typing import Any

import pytest

from inprocess import Client, TestServer

SPOOF = {"sender": "@alice:hs1", "user_id": "@alice:hs1", "origin": "other.example"}


async def test_s_ghsa_rgv2_sender_spoofing_in_to_device(server: TestServer, alice: Client, mallory: Client) -> None:
    bob = await server.register("bob")
    message = {**SPOOF, "type": "m.other", "n": 1}
    body = {**SPOOF, "messages": {bob.user_id: {bob.device_id: message}}}
    await mallory.put("sendToDevice/m.test/1", body, user_id=alice.user_id)
    assert (await bob.get("sync"))["to_device"]["events"] == [
        {"type": "m.test", "sender": mallory.user_id, "content": message}
    ]


async def test_sender_spoofing_in_events(server: TestServer, alice: Client, mallory: Client) -> None:
    initial = [{"type": "m.room.topic", "state_key": "", "content": {"topic": "x"}, **SPOOF, "event_id": "$forged"}]
    room = await mallory.create_room(initial_state=initial, invite=[alice.user_id])
    await alice.post(f"rooms/{room}/join")
    event_id = await mallory.send(room, {**SPOOF, "msgtype": "m.text", "body": "b", "event_id": "$forged"})
    answer = await mallory.put(
        f"rooms/{room}/send/m.room.message/q", {"body": "c"}, user_id=alice.user_id, ts=1, sender=alice.user_id
    )
    for shown in (event_id, answer["event_id"]):
        event = await alice.get(f"rooms/{room}/event/{shown}")
        assert event["sender"] == mallory.user_id
        assert event["origin_server_ts"] > 1_000
    state = await alice.get(f"rooms/{room}/state")
    assert {e["sender"] for e in state if e["type"] == "m.room.topic"} == {mallory.user_id}


async def test_a_membership_of_another_is_not_written_as_theirs(alice: Client, mallory: Client) -> None:
    room = await mallory.create_room(preset="public_chat")
    path = f"rooms/{room}/state/m.room.member/{alice.user_id}"
    (await mallory("PUT", path, {"membership": "join"})).error(403, "M_FORBIDDEN")
    (await mallory("PUT", path, {"membership": "knock"})).error(403, "M_FORBIDDEN")
    assert (await alice.get("joined_rooms"))["joined_rooms"] == []


async def test_s_cve_2023_42453_receipts_forged_for_others(alice: Client, mallory: Client) -> None:
    room = await mallory.create_room(preset="public_chat")
    await alice.post(f"rooms/{room}/join")
    event_id = await alice.send(room, "hello")
    await mallory.post(f"rooms/{room}/receipt/m.read/{event_id}", SPOOF, user_id=alice.user_id)
    await mallory.post(f"rooms/{room}/read_markers", {**SPOOF, "m.read": event_id})
    ephemeral = (await alice.get("sync"))["rooms"]["join"][room]["ephemeral"]["events"]
    users = {
        u for e in ephemeral if e["type"] == "m.receipt" for kinds in e["content"].values() for u in kinds["m.read"]
    }
    assert users == {mallory.user_id}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "rooms/{room}/typing/@alice:hs1", {"typing": True}),
        ("PUT", "presence/@alice:hs1/status", {"presence": "online"}),
        ("PUT", "profile/@alice:hs1/displayname", {"displayname": "x"}),
        ("PUT", "profile/@alice:hs1/avatar_url", {"avatar_url": "mxc://hs1/x"}),
        ("PUT", "user/@alice:hs1/account_data/m.x", {}),
        ("GET", "user/@alice:hs1/account_data/m.direct", None),
        ("PUT", "user/@alice:hs1/rooms/{room}/account_data/m.x", {}),
        ("PUT", "user/@alice:hs1/rooms/{room}/tags/u.x", {}),
        ("GET", "user/@alice:hs1/rooms/{room}/tags", None),
        ("POST", "user/@alice:hs1/filter", {}),
        ("GET", "user/@alice:hs1/filter/0", None),
        ("POST", "user/@alice:hs1/openid/request_token", {}),
    ],
)
async def test_what_belongs_to_a_user_is_theirs(
    alice: Client, mallory: Client, method: str, path: str, body: Any
) -> None:
    room = await mallory.create_room(preset="public_chat")
    await alice.post(f"rooms/{room}/join")
    (await mallory(method, path.format(room=room), body)).error(403, "M_FORBIDDEN")


async def test_m_user_id_in_the_query_is_for_application_services(alice: Client, mallory: Client) -> None:
    assert (await mallory.get("account/whoami", user_id=alice.user_id))["user_id"] == mallory.user_id
    devices = (await mallory.get("devices", user_id=alice.user_id))["devices"]
    assert [d["device_id"] for d in devices] == [mallory.device_id]


async def test_keys_are_uploaded_for_ones_own_device_only(alice: Client, mallory: Client) -> None:
    keys = {
        "user_id": alice.user_id, "device_id": alice.device_id, "algorithms": [], "keys": {}, "signatures": {},
    }  # fmt: skip
    (await mallory("POST", "keys/upload", {"device_keys": keys})).error(400, "M_INVALID_PARAM")
    answer = await alice.post("keys/query", {"device_keys": {alice.user_id: []}})
    assert answer["device_keys"].get(alice.user_id, {}) == {}
