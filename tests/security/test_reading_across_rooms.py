"""Reading across rooms: no address gives an event, or anything else, of a room that the asker is not in."""

import json
from typing import Any

import pytest

from inprocess import Client, TestServer
from myelin.app.build import route_table
from myelin.http.endpoint import Auth, Endpoint

SECRET = "the-vault-opens-at-noon"
OWN = ("/room_keys/", "/user/{user_id}/")
"""Addresses of what the asker keeps for themselves about a room."""


class Vault:
    """Alice's room, and one of Mallory's; an event with an answer, a reaction and an edit in each."""

    def __init__(self) -> None:
        self.room = self.event = self.reply = self.own_room = self.own_event = ""


@pytest.fixture
async def vault(alice: Client, mallory: Client) -> Vault:
    made = Vault()
    made.room = await alice.create_room(name=SECRET, topic=SECRET, preset="private_chat")
    made.event = await alice.send(made.room, SECRET)
    relation = {"rel_type": "m.thread", "event_id": made.event}
    made.reply = await alice.send(made.room, {"msgtype": "m.text", "body": SECRET, "m.relates_to": relation})
    made.own_room = await mallory.create_room()
    made.own_event = await mallory.send(made.own_room, "mine")
    return made


def asked(endpoint: Endpoint, room: str, event: str, user: str) -> str:
    values = {
        "room_id": room, "room_id_or_alias": room, "event_id": event, "rel_type": "m.thread", "user_id": user,
        "event_type": "m.room.topic", "state_key": "", "session_id": "x", "tag": "u.x", "thread_root_id": event,
        "root_id": event, "thread_id": event,
    }  # fmt: skip
    return endpoint.path.format(**values)


READING = [
    endpoint
    for endpoint in route_table()
    if endpoint.method == "GET"
    and endpoint.auth in (Auth.USER, Auth.GUEST, Auth.OPTIONAL)
    and ("{room_id" in endpoint.path or "{event_id" in endpoint.path)
    and not any(part in endpoint.path for part in OWN)
]


@pytest.mark.parametrize("endpoint", READING, ids=lambda e: e.name)
async def test_s_ghsa_27p5_qcjr_r66v_nothing_of_a_room_is_told_to_strangers(
    mallory: Client, vault: Vault, endpoint: Endpoint
) -> None:
    query = {"dir": "f", "ts": 1, "limit": 10}
    answer = await mallory("GET", asked(endpoint, vault.room, vault.event, mallory.user_id), **query)
    if "/directory/list/" not in endpoint.path:  # whether a room is published is public
        assert answer.status in (403, 404), answer.data
    assert SECRET.encode() not in answer.data


@pytest.mark.parametrize(
    "endpoint", [e for e in READING if "{event_id}" in e.path and "{room_id}" in e.path], ids=lambda e: e.name
)
async def test_s_ghsa_27p5_event_by_id_through_another_room(mallory: Client, vault: Vault, endpoint: Endpoint) -> None:
    for event_id in (vault.event, vault.reply):
        answer = await mallory("GET", asked(endpoint, vault.own_room, event_id, mallory.user_id))
        answer.error(404, "M_NOT_FOUND")
        assert SECRET.encode() not in answer.data


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "rooms/{own}/redact/{event}/t1", {}),
        ("PUT", "rooms/{own}/send/m.room.redaction/t2", {"redacts": "{event}"}),
        ("POST", "rooms/{own}/receipt/m.read/{event}", {}),
        ("POST", "rooms/{own}/read_markers", {"m.fully_read": "{event}", "m.read": "{event}"}),
        ("POST", "rooms/{own}/report/{event}", {"reason": "x"}),
        ("POST", "rooms/{room}/report/{event}", {"reason": "x"}),
        ("PUT", "rooms/{room}/redact/{event}/t3", {}),
        ("PUT", "rooms/{room}/send/m.room.message/t4", {"body": "x"}),
        ("PUT", "rooms/{room}/state/m.room.topic/", {"topic": "x"}),
        ("POST", "rooms/{room}/receipt/m.read/{event}", {}),
        ("POST", "rooms/{room}/read_markers", {"m.read": "{event}"}),
        ("PUT", "rooms/{room}/typing/@mallory:hs1", {"typing": True}),
        ("POST", "rooms/{room}/invite", {"user_id": "@mallory:hs1"}),
        ("POST", "rooms/{room}/kick", {"user_id": "@alice:hs1"}),
        ("POST", "rooms/{room}/ban", {"user_id": "@alice:hs1"}),
        ("POST", "rooms/{room}/join", {}),
        ("POST", "rooms/{room}/upgrade", {"new_version": "12"}),
        ("PUT", "directory/room/%23taken:hs1", {"room_id": "{room}"}),
        ("PUT", "directory/list/room/{room}", {"visibility": "public"}),
    ],
)
async def test_no_event_of_another_room_is_acted_on(
    alice: Client, mallory: Client, vault: Vault, method: str, path: str, body: Any
) -> None:
    before = await state_of(alice, vault.room)
    words = {"own": vault.own_room, "room": vault.room, "event": vault.event}
    filled = json.loads(json.dumps(body).replace("{event}", vault.event).replace("{room}", vault.room))
    answer = await mallory(method, path.format(**words), filled)
    assert SECRET.encode() not in answer.data
    if "redact" in path and "{own}" in path and answer.status == 200:
        assert (await alice.get(f"rooms/{vault.room}/event/{vault.event}"))["content"]["body"] == SECRET
    elif "read_markers" not in path or "{own}" not in path:
        assert 400 <= answer.status < 500, answer.json
    assert await state_of(alice, vault.room) == before
    assert (await alice.get(f"rooms/{vault.room}/event/{vault.event}"))["content"]["body"] == SECRET


async def state_of(alice: Client, room: str) -> set[str]:
    return {event["event_id"] for event in await alice.get(f"rooms/{room}/state")}


async def test_relations_do_not_carry_events_between_rooms(mallory: Client, vault: Vault) -> None:
    for rel_type in ("m.thread", "m.replace", "m.annotation", "m.reference"):
        relation = {"rel_type": rel_type, "event_id": vault.event, "key": "x"}
        content = {"body": "x", "msgtype": "m.text", "m.new_content": {"body": "y"}, "m.relates_to": relation}
        await mallory("PUT", f"rooms/{vault.own_room}/send/m.room.message/{rel_type}", content)
    answers = [
        await mallory("GET", f"/_matrix/client/v1/rooms/{vault.own_room}/threads"),
        await mallory("GET", f"rooms/{vault.own_room}/messages", dir="b"),
        await mallory("GET", "sync"),
        await mallory("GET", "notifications"),
        await mallory("POST", "search", {"search_categories": {"room_events": {"search_term": SECRET}}}),
        await mallory(
            "POST", "search",
            {"search_categories": {"room_events": {"search_term": SECRET, "filter": {"rooms": [vault.room]}}}},
        ),
        await mallory("GET", "publicRooms"),
        await mallory("GET", f"/_matrix/client/v1/rooms/{vault.own_room}/hierarchy"),
    ]  # fmt: skip
    assert all(SECRET.encode() not in a.data.replace(f'"search_term":"{SECRET}"'.encode(), b"") for a in answers)


async def test_a_space_does_not_tell_of_its_private_rooms(mallory: Client, vault: Vault) -> None:
    space = await mallory.create_room(creation_content={"type": "m.space"})
    await mallory.put(f"rooms/{space}/state/m.space.child/{vault.room}", {"via": ["hs1"]})
    answer = await mallory("GET", f"/_matrix/client/v1/rooms/{space}/hierarchy")
    assert SECRET.encode() not in answer.data
    assert [room["room_id"] for room in answer.ok()["rooms"]] == [space]


async def test_tokens_of_one_room_open_no_other(alice: Client, mallory: Client, vault: Vault) -> None:
    page = await alice.get(f"rooms/{vault.room}/messages", dir="b", limit=1)
    for path in (vault.room, vault.own_room):
        answer = await mallory("GET", f"rooms/{path}/messages", dir="b", from_=page["end"])
        assert SECRET.encode() not in answer.data
    since = (await alice.get("sync"))["next_batch"]
    assert SECRET.encode() not in (await mallory("GET", "sync", since=since)).data


async def test_s_cve_2023_43796_who_changed_devices_is_told_to_who_shares_a_room(
    server: TestServer, alice: Client, mallory: Client, vault: Vault
) -> None:
    since = (await mallory.get("sync"))["next_batch"]
    await server.login("alice")
    await alice.put("profile/@alice:hs1/displayname", {"displayname": SECRET})
    answer = await mallory("GET", "sync", since=since)
    assert b"@alice:hs1" not in answer.data
    now = answer.json["next_batch"]
    assert await mallory.get("keys/changes", from_=since, to=now) == {"changed": [], "left": []}
