"""The list of what a user was notified of."""

from typing import Any

import pytest

from inprocess import Client, TestServer
from myelin.services.push import notified_events


async def room_with(server: TestServer, *names: str) -> tuple[str, list[Client]]:
    clients = [await server.register(name) for name in names]
    room_id = await clients[0].create_room(preset="public_chat")
    for client in clients[1:]:
        await client.post(f"join/{room_id}")
    return room_id, clients


def ids(answer: dict[str, Any]) -> list[str]:
    return [n["event"]["event_id"] for n in answer["notifications"]]


async def test_messages_of_others_are_listed_newest_first(server_on_each: TestServer) -> None:
    room_id, (alice, bob) = await room_with(server_on_each, "alice", "bob")
    other = await alice.create_room(preset="public_chat")
    await alice.send(other, "before Bob came")
    await bob.post(f"join/{other}")
    sent = []
    for i in range(6):
        sent.append(await alice.send((room_id, other)[i % 2], f"m{i}"))
        await bob.send(room_id, "own")
    await bob.post(f"rooms/{room_id}/receipt/m.read/{sent[2]}")
    answer = await bob.get("notifications")
    assert ids(answer) == sent[::-1]
    assert "next_token" not in answer
    assert [n["read"] for n in answer["notifications"]] == [False, False, False, True, False, True]
    assert [n["room_id"] for n in answer["notifications"]] == [other, room_id] * 3
    first = answer["notifications"][0]
    assert first["event"]["content"]["body"] == "m5"
    assert (first["ts"], first["profile_tag"]) == (first["event"]["origin_server_ts"], "")
    assert "notify" in first["actions"]
    assert ids(await alice.get("notifications")) != []


async def test_pages_lead_on_to_each_other(server_on_each: TestServer) -> None:
    room_id, (alice, bob) = await room_with(server_on_each, "alice", "bob")
    sent = [await alice.send(room_id, f"m{i}") for i in range(130)]
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 50}
    for _ in range(3):
        answer = await bob.get("notifications", **query)
        seen += ids(answer)
        if "next_token" in answer:
            query["from"] = answer["next_token"]
    assert "next_token" not in answer
    assert seen == sent[::-1]


async def test_highlights_alone_can_be_asked_for(server: TestServer) -> None:
    room_id, (alice, bob) = await room_with(server, "alice", "bob")
    await alice.send(room_id, "plain")
    mention = await alice.send(room_id, {"msgtype": "m.text", "body": "hey", "m.mentions": {"user_ids": [bob.user_id]}})
    await alice.send(room_id, "plain")
    answer = await bob.get("notifications", only="highlight")
    assert ids(answer) == [mention]
    assert {"set_tweak": "highlight"} in answer["notifications"][0]["actions"]


async def test_one_answer_looks_at_a_bounded_number_of_events(
    server: TestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notified_events, "MAX_LOOKED_AT", 10)
    room_id, (alice, bob) = await room_with(server, "alice", "bob")
    wanted = await alice.send(room_id, "far back")
    for i in range(15):
        await bob.send(room_id, f"m{i}")
    answer = await bob.get("notifications")
    assert ids(answer) == []
    assert ids(await bob.get("notifications", **{"from": answer["next_token"]})) == [wanted]


async def test_redacted_and_muted_messages_and_ignored_users_are_left_out(server: TestServer) -> None:
    room_id, (alice, bob, carol) = await room_with(server, "alice", "bob", "carol")
    gone = await alice.send(room_id, "gone")
    await alice.put(f"rooms/{room_id}/redact/{gone}/r1")
    await carol.send(room_id, "ignored")
    kept = await alice.send(room_id, "kept")
    await bob.put(f"user/{bob.user_id}/account_data/m.ignored_user_list", {"ignored_users": {carol.user_id: {}}})
    assert ids(await bob.get("notifications")) == [kept]
    mute = {"actions": [], "conditions": [{"kind": "event_match", "key": "room_id", "pattern": room_id}]}
    await bob.put("pushrules/global/override/mute", mute)
    assert ids(await bob.get("notifications")) == []


async def test_rooms_that_were_left_are_not_listed(server: TestServer) -> None:
    room_id, (alice, bob) = await room_with(server, "alice", "bob")
    await alice.send(room_id, "hello")
    await bob.post(f"rooms/{room_id}/leave")
    assert ids(await bob.get("notifications")) == []


@pytest.mark.parametrize("query", [{"from": "nonsense"}, {"limit": "0"}, {"limit": "-1"}, {"limit": "many"}])
async def test_what_cannot_be_asked_is_refused(server: TestServer, query: dict[str, str]) -> None:
    alice = await server.register("alice")
    (await alice("GET", "notifications", **query)).error(400, "M_INVALID_PARAM")
