"""Making rooms over HTTP."""

from pathlib import Path
from typing import Any

import pytest

import seen
from inprocess import TestServer, make_config, running_server
from myelin.config.sections.federation import Federation
from myelin.config.sections.messaging import Rooms

VERSIONS = [str(n) for n in range(1, 13)]


async def test_a_room_is_made_joined_written_to_and_left(server_on_each: TestServer) -> None:
    alice, bob = await server_on_each.register("alice"), await server_on_each.register("bob")
    room_id = await alice.create_room(
        name="Tea", topic="Leaves", invite=[bob.user_id], initial_state=[{"type": "m.room.avatar", "content": {}}]
    )
    await bob.post(f"join/{room_id}")
    assert await bob.get("joined_rooms") == {"joined_rooms": [room_id]}
    event_id = await bob.send(room_id, "hello")
    await alice.put(f"rooms/{room_id}/state/m.room.topic", {"topic": "Cups"})
    await alice.put(f"rooms/{room_id}/state/m.room.topic/", {"topic": "Pots"})
    assert (await alice.put(f"rooms/{room_id}/redact/{event_id}/r1", {"reason": "x"}))["event_id"].startswith("$")
    await bob.post(f"rooms/{room_id}/leave")
    assert await bob.get("joined_rooms") == {"joined_rooms": []}
    await bob.post(f"rooms/{room_id}/forget")
    (await bob("PUT", f"rooms/{room_id}/send/m.room.message/t9", {"body": "x"})).error(403, "M_FORBIDDEN")


async def test_the_events_come_in_the_order_of_the_spec(server: TestServer) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    room_id = await alice.create_room(
        preset="public_chat",
        room_alias_name="tea",
        name="Tea",
        topic="Leaves",
        invite=[bob.user_id],
        is_direct=True,
        initial_state=[
            {"type": "m.room.history_visibility", "content": {"history_visibility": "world_readable"}},
            {"type": "org.example.x", "state_key": "y", "content": {"z": 1}},
            {"type": "m.room.name", "content": {"name": "overridden"}},
        ],
    )
    events = await seen.timeline(server, room_id)
    assert [(e.type, e.state_key) for e in events] == [
        ("m.room.create", ""),
        ("m.room.member", alice.user_id),
        ("m.room.power_levels", ""),
        ("m.room.canonical_alias", ""),
        ("m.room.join_rules", ""),
        ("m.room.guest_access", ""),
        ("m.room.history_visibility", ""),
        ("org.example.x", "y"),
        ("m.room.name", ""),
        ("m.room.topic", ""),
        ("m.room.member", bob.user_id),
    ]
    assert events[-3].content == {"name": "Tea"}
    assert events[-2].content == {"topic": "Leaves", "m.topic": {"m.text": [{"body": "Leaves"}]}}
    assert events[-1].content == {"membership": "invite", "is_direct": True}
    assert (await alice.get("directory/room/%23tea:hs1"))["room_id"] == room_id


@pytest.mark.parametrize(
    ("body", "join_rule", "guest_access"),
    [
        ({}, "invite", "can_join"),
        ({"visibility": "public"}, "public", "forbidden"),
        ({"visibility": "public", "preset": "private_chat"}, "invite", "can_join"),
        ({"preset": "trusted_private_chat"}, "invite", "can_join"),
        ({"preset": "public_chat"}, "public", "forbidden"),
    ],
)
async def test_presets(server: TestServer, body: dict[str, Any], join_rule: str, guest_access: str) -> None:
    room_id = await (await server.register("alice")).create_room(**body)
    assert await seen.state(server, room_id, "m.room.join_rules") == {"join_rule": join_rule}
    assert await seen.state(server, room_id, "m.room.guest_access") == {"guest_access": guest_access}
    assert await seen.state(server, room_id, "m.room.history_visibility") == {"history_visibility": "shared"}


@pytest.mark.parametrize("version", VERSIONS)
async def test_power_in_each_version(server: TestServer, version: str) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    room_id = await alice.create_room(room_version=version, preset="trusted_private_chat", invite=[bob.user_id])
    create = await seen.state(server, room_id, "m.room.create")
    levels = await seen.state(server, room_id, "m.room.power_levels")
    assert create["room_version"] == version
    assert create.get("creator") == (None if version in ("11", "12") else alice.user_id)
    if version == "12":
        assert create["additional_creators"] == [bob.user_id]
        assert levels["users"] == {}
        assert levels["events"]["m.room.tombstone"] == 150
        assert ":" not in room_id
    else:
        assert levels["users"] == {alice.user_id: 100, bob.user_id: 100}
        assert room_id.endswith(":hs1")


async def test_creation_content_is_kept_but_for_what_the_server_says(server: TestServer) -> None:
    alice = await server.register("alice")
    given = {"creator": "@x:y", "room_version": "1", "m.federate": False, "type": "m.space", "org.example": 1}
    room_id = await alice.create_room(creation_content=given, room_version="10")
    assert await seen.state(server, room_id, "m.room.create") == {
        "creator": alice.user_id,
        "room_version": "10",
        "m.federate": False,
        "type": "m.space",
        "org.example": 1,
    }


async def test_additional_creators_and_those_of_a_trusted_chat_are_named_once(server: TestServer) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    room_id = await alice.create_room(
        preset="trusted_private_chat",
        invite=[bob.user_id],
        creation_content={"additional_creators": [bob.user_id, "@carol:elsewhere", bob.user_id]},
    )
    create = await seen.state(server, room_id, "m.room.create")
    assert create["additional_creators"] == [bob.user_id, "@carol:elsewhere"]


async def test_power_levels_can_be_overridden(server: TestServer) -> None:
    alice = await server.register("alice")
    room_id = await alice.create_room(power_level_content_override={"events_default": 10, "invite": 77})
    levels = await seen.state(server, room_id, "m.room.power_levels")
    assert (levels["events_default"], levels["invite"], levels["ban"]) == (10, 77, 50)


@pytest.mark.parametrize(
    ("body", "errcode"),
    [
        ({"room_version": "99"}, "M_UNSUPPORTED_ROOM_VERSION"),
        ({"room_version": 12}, "M_BAD_JSON"),
        ({"preset": "secret"}, "M_BAD_JSON"),
        ({"name": 5}, "M_BAD_JSON"),
        ({"initial_state": [{"type": "m.room.name", "content": "x"}]}, "M_BAD_JSON"),
        ({"creation_content": {"additional_creators": "@a:b"}}, "M_BAD_JSON"),
        ({"creation_content": {"additional_creators": ["bob"]}}, "M_BAD_JSON"),
        ({"power_level_content_override": {"users": {"@alice:hs1": 100}}}, "M_INVALID_ROOM_STATE"),
        (
            {"room_version": "11", "power_level_content_override": {"users": {"@alice:hs1": 1}}, "name": "x"},
            "M_INVALID_ROOM_STATE",
        ),
        ({"power_level_content_override": {"ban": "high"}}, "M_INVALID_ROOM_STATE"),
        ({"initial_state": [{"type": "m.room.create", "content": {}}]}, "M_INVALID_ROOM_STATE"),
        ({"initial_state": [{"type": "a\0b", "content": {}}]}, "M_INVALID_PARAM"),
        ({"initial_state": [{"type": "a", "state_key": "\0", "content": {}}]}, "M_INVALID_PARAM"),
        ({"invite": ["nobody"]}, "M_INVALID_PARAM"),
        ({"room_alias_name": "a:b"}, "M_INVALID_PARAM"),
        ({"room_alias_name": ""}, "M_INVALID_PARAM"),
        ({"name": "x" * 70_000}, "M_TOO_LARGE"),
    ],
)
async def test_bad_wishes_are_refused(server_on_each: TestServer, body: dict[str, Any], errcode: str) -> None:
    alice = await server_on_each.register("alice")
    answer = await alice("POST", "createRoom", body)
    answer.error(413 if errcode == "M_TOO_LARGE" else 400, errcode)
    assert await alice.get("joined_rooms") == {"joined_rooms": []}


async def test_an_alias_is_taken_once_and_a_refused_room_leaves_nothing(server_on_each: TestServer) -> None:
    alice = await server_on_each.register("alice")
    room_id = await alice.create_room(room_alias_name="tea")
    (await alice("POST", "createRoom", {"room_alias_name": "tea"})).error(400, "M_ROOM_IN_USE")
    assert await alice.get("joined_rooms") == {"joined_rooms": [room_id]}


async def test_a_room_is_made_also_where_users_of_other_servers_cannot_be_reached(server: TestServer) -> None:
    alice = await server.register("alice")
    room_id = await alice.create_room(invite=["@bob:nowhere.invalid"])
    members = (await alice.get(f"rooms/{room_id}/members"))["chunk"]
    assert [member["state_key"] for member in members] == [alice.user_id]


async def test_users_of_other_servers_are_refused_where_this_one_is_alone(tmp_path: Path) -> None:
    async with running_server(make_config(tmp_path, federation=Federation(enabled=False))) as server:
        alice = await server.register("alice")
        (await alice("POST", "createRoom", {"invite": ["@bob:nowhere.invalid"]})).error(403, "M_FORBIDDEN")
        room_id = await alice.create_room()
        path = f"rooms/{room_id}/invite"
        (await alice("POST", path, {"user_id": "@bob:nowhere.invalid"})).error(403, "M_FORBIDDEN")
        (await alice("POST", "join/!none:nowhere.invalid", {})).error(404, "M_NOT_FOUND")


async def test_third_parties_are_counted_and_looked_at_first(server: TestServer) -> None:
    alice = await server.register("alice")
    third = {"id_server": "a b", "id_access_token": "y", "medium": "email", "address": "a@b"}
    (await alice("POST", "createRoom", {"invite_3pid": [third]})).error(400, "M_INVALID_PARAM")
    (await alice("POST", "createRoom", {"invite_3pid": [{"medium": "email"}]})).error(400, "M_MISSING_PARAM")
    many = [{**third, "id_server": "x", "address": f"a{number}@b"} for number in range(1001)]
    (await alice("POST", "createRoom", {"invite_3pid": many})).error(400, "M_INVALID_PARAM")
    assert (await alice.get("joined_rooms"))["joined_rooms"] == []


async def test_who_blocks_invites_is_not_invited(server: TestServer) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    await bob.put(f"user/{bob.user_id}/account_data/m.invite_permission_config", {"default_action": "block"})
    (await alice("POST", "createRoom", {"invite": [bob.user_id]})).error(403, "M_INVITE_BLOCKED")
    room_id = await alice.create_room()
    (await alice("POST", f"rooms/{room_id}/invite", {"user_id": bob.user_id})).error(403, "M_INVITE_BLOCKED")
    path = f"rooms/{room_id}/state/m.room.member/{bob.user_id}"
    (await alice("PUT", path, {"membership": "invite"})).error(403, "M_INVITE_BLOCKED")


async def test_names_stand_in_the_memberships(server: TestServer) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    for user, name in ((alice, "Alice"), (bob, "Bob")):
        await user.put(f"profile/{user.user_id}/displayname", {"displayname": name})
    room_id = await alice.create_room(invite=[bob.user_id])
    assert (await seen.state(server, room_id, "m.room.member", alice.user_id))["displayname"] == "Alice"
    assert (await seen.state(server, room_id, "m.room.member", bob.user_id))["displayname"] == "Bob"


async def test_limits_and_defaults_come_from_the_config(tmp_path: Any) -> None:
    config = make_config(
        tmp_path, rooms=Rooms(default_version="10", encryption_by_default="private", max_invites_at_creation=1)
    )
    async with running_server(config) as server:
        alice = await server.register("alice")
        room_id = await alice.create_room(invite=["@b:hs1"])
        assert (await seen.room(server, room_id)).version.identifier == "10"
        assert (await seen.state(server, room_id, "m.room.encryption"))["algorithm"] == "m.megolm.v1.aes-sha2"
        public = await alice.create_room(preset="public_chat")
        assert await seen.state(server, public, "m.room.encryption") is None
        (await alice("POST", "createRoom", {"invite": ["@b:hs1", "@c:hs1"]})).error(400, "M_INVALID_PARAM")
