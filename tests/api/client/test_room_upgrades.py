"""Replacing rooms over HTTP."""

import asyncio
from typing import Any

import pytest

import seen
from inprocess import TestServer

STATE = {
    "m.room.server_acl": {"allow": ["*"]},
    "m.room.encryption": {"algorithm": "m.megolm.v1.aes-sha2"},
    "m.room.avatar": {"url": "mxc://hs1/a"},
    "m.room.guest_access": {"guest_access": "can_join"},
    "m.room.history_visibility": {"history_visibility": "joined"},
    "m.room.join_rules": {"join_rule": "knock"},
    "m.room.name": {"name": "Tea"},
    "m.room.topic": {"topic": "Leaves"},
}


async def upgrade(user: Any, room_id: str, version: str, **body: Any) -> str:
    return (await user.post(f"rooms/{room_id}/upgrade", {"new_version": version, **body}))["replacement_room"]


@pytest.mark.parametrize(("old", "new"), [("9", "10"), ("10", "12"), ("12", "12"), ("12", "11"), ("6", "11")])
async def test_what_is_carried_over(server: TestServer, old: str, new: str) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    initial = [{"type": kind, "content": content} for kind, content in STATE.items()]
    room_id = await alice.create_room(
        room_version=old,
        initial_state=initial,
        creation_content={"type": "m.space", "m.federate": False},
        power_level_content_override={"events": {"m.room.topic": 7}, "kick": 60},
    )
    await alice.put(f"rooms/{room_id}/state/m.space.child/!x:hs1", {"via": ["hs1"]})
    await alice.put(f"rooms/{room_id}/state/org.example.mine", {"x": 1})
    await alice.post(f"rooms/{room_id}/ban", {"user_id": bob.user_id, "reason": "rude"})
    new_id = await upgrade(alice, room_id, new)
    last = next(e.event_id for e in await seen.timeline(server, room_id) if e.type == "m.room.tombstone")
    for kind, content in STATE.items():
        assert await seen.state(server, new_id, kind) == content, kind
    create = await seen.state(server, new_id, "m.room.create")
    expected = {"room_id": room_id} if new == "12" else {"room_id": room_id, "event_id": last}
    assert create["predecessor"] == expected
    assert (create["room_version"], create["type"], create["m.federate"]) == (new, "m.space", False)
    assert await seen.state(server, new_id, "m.space.child", "!x:hs1") == {"via": ["hs1"]}
    assert await seen.state(server, new_id, "org.example.mine") is None
    assert await seen.state(server, new_id, "m.room.member", bob.user_id) == {"membership": "ban", "reason": "rude"}
    levels = await seen.state(server, new_id, "m.room.power_levels")
    assert (levels["events"]["m.room.topic"], levels["kick"]) == (7, 60)
    assert levels["users"] == ({} if new == "12" else {alice.user_id: 100})
    assert levels["events"].get("m.room.tombstone") == (150 if new == "12" else None)
    assert (await seen.state(server, room_id, "m.room.tombstone"))["replacement_room"] == new_id
    left = await seen.state(server, room_id, "m.room.power_levels")
    assert (left["events_default"], left["invite"]) == (50, 50)


async def test_aliases_and_publication_move(server_on_each: TestServer) -> None:
    server = server_on_each
    alice = await server.register("alice")
    room_id = await alice.create_room(visibility="public", room_alias_name="tea", room_version="11")
    await alice.put("directory/room/%23cup:hs1", {"room_id": room_id})
    content = {"alias": "#tea:hs1", "alt_aliases": ["#cup:hs1"]}
    await alice.put(f"rooms/{room_id}/state/m.room.canonical_alias", content)
    new_id = await upgrade(alice, room_id, "12")
    for name in ("tea", "cup"):
        assert (await alice.get(f"directory/room/%23{name}:hs1"))["room_id"] == new_id
    assert await seen.state(server, new_id, "m.room.canonical_alias") == content
    assert await seen.state(server, room_id, "m.room.canonical_alias") == {}
    assert [r["room_id"] for r in (await alice.get("publicRooms"))["chunk"]] == [new_id]


async def test_additional_creators_are_named_anew(server: TestServer) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    room_id = await alice.create_room(creation_content={"additional_creators": ["@old:hs1"]})
    levels = await seen.state(server, room_id, "m.room.power_levels")
    await alice.put(f"rooms/{room_id}/state/m.room.power_levels", {**levels, "users": {bob.user_id: 90, "@c:hs1": 80}})
    new_id = await upgrade(alice, room_id, "12", additional_creators=[bob.user_id, alice.user_id])
    create = await seen.state(server, new_id, "m.room.create")
    assert create["additional_creators"] == [bob.user_id]
    assert (await seen.state(server, new_id, "m.room.power_levels"))["users"] == {"@c:hs1": 80}
    old_id = await upgrade(alice, await alice.create_room(), "11", additional_creators=["anything"])
    assert "additional_creators" not in await seen.state(server, old_id, "m.room.create")
    body = {"new_version": "12", "additional_creators": ["bob"]}
    (await alice("POST", f"rooms/{new_id}/upgrade", body)).error(400, "M_BAD_JSON")


async def test_who_may_upgrade(server: TestServer) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    room_id = await alice.create_room(preset="public_chat")
    path = f"rooms/{room_id}/upgrade"
    (await bob("POST", path, {"new_version": "12"})).error(403, "M_FORBIDDEN")
    await bob.post(f"join/{room_id}")
    (await bob("POST", path, {"new_version": "12"})).error(403, "M_FORBIDDEN")
    (await alice("POST", path, {"new_version": "99"})).error(400, "M_UNSUPPORTED_ROOM_VERSION")
    (await alice("POST", path, {})).error(400, "M_MISSING_PARAM")
    (await alice("POST", "rooms/!none:hs1/upgrade", {"new_version": "12"})).error(404, "M_NOT_FOUND")


async def test_room_takeover(server_on_each: TestServer) -> None:
    """Class "room takeover": naming a predecessor moves neither aliases nor the place on the list, nor settings."""
    alice, mallory = await server_on_each.register("alice"), await server_on_each.register("mallory")
    room_id = await alice.create_room(visibility="public", room_alias_name="tea", invite=[mallory.user_id])
    await mallory.post(f"join/{room_id}")
    await mallory.put(f"user/{mallory.user_id}/rooms/{room_id}/tags/m.favourite", {})
    fake = await mallory.create_room(
        creation_content={"predecessor": {"room_id": room_id, "event_id": "$x"}}, invite=[alice.user_id]
    )
    await alice.post(f"join/{fake}")
    (await mallory("PUT", "directory/room/%23tea:hs1", {"room_id": fake})).error(409, "M_UNKNOWN")
    (await mallory("POST", f"rooms/{room_id}/upgrade", {"new_version": "12"})).error(403, "M_FORBIDDEN")
    assert (await alice.get("directory/room/%23tea:hs1"))["room_id"] == room_id
    assert [r["room_id"] for r in (await alice.get("publicRooms"))["chunk"]] == [room_id]
    assert await mallory.get(f"user/{mallory.user_id}/rooms/{fake}/tags") == {"tags": {}}


async def test_settings_go_along(server: TestServer) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    room_id = await alice.create_room(preset="public_chat")
    await bob.post(f"join/{room_id}")
    for user in (alice, bob):
        at = f"user/{user.user_id}"
        await user.put(f"{at}/rooms/{room_id}/tags/m.favourite", {"order": 0.5})
        await user.put(f"{at}/account_data/m.direct", {"@x:hs1": [room_id], "@y:hs1": ["!z:hs1"]})
        await user.put(f"pushrules/global/room/{room_id}", {"actions": ["notify"]})
        condition = {"kind": "event_match", "key": "room_id", "pattern": room_id}
        await user.put(f"pushrules/global/override/{room_id}", {"actions": [], "conditions": [condition]})
    new_id = await upgrade(alice, room_id, "12")
    await bob.post(f"join/{new_id}")
    for user in (alice, bob):
        at = f"user/{user.user_id}"
        assert await user.get(f"{at}/rooms/{new_id}/tags") == {"tags": {"m.favourite": {"order": 0.5}}}
        assert await user.get(f"{at}/account_data/m.direct") == {"@x:hs1": [room_id, new_id], "@y:hs1": ["!z:hs1"]}
        assert (await user.get(f"pushrules/global/room/{new_id}"))["actions"] == ["notify"]
        rule = await user.get(f"pushrules/global/override/{new_id}")
        assert rule["conditions"] == [{"kind": "event_match", "key": "room_id", "pattern": new_id}]


async def test_of_two_upgrades_at_once_one_is_done(server_on_each: TestServer) -> None:
    alice = await server_on_each.register("alice")
    room_id = await alice.create_room(room_alias_name="tea")
    path = f"rooms/{room_id}/upgrade"
    answers = await asyncio.gather(*(alice("POST", path, {"new_version": "12"}) for _ in range(2)))
    assert sorted(answer.status for answer in answers) == [200, 403]
    (new_id,) = [a.json["replacement_room"] for a in answers if a.status == 200]
    assert (await alice.get("directory/room/%23tea:hs1"))["room_id"] == new_id
    assert (await seen.state(server_on_each, room_id, "m.room.tombstone"))["replacement_room"] == new_id
