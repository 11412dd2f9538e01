"""Joining, inviting, leaving, knocking, kicking, banning and forgetting over HTTP."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

import seen
from inprocess import Client, TestServer, make_config, running_server
from myelin.config.sections.accounts import Registration

ALLOW = "m.room_membership"


def restricted(*room_ids: str, rule: str = "restricted") -> list[dict[str, Any]]:
    allow = [{"type": ALLOW, "room_id": room_id} for room_id in room_ids]
    return [{"type": "m.room.join_rules", "content": {"join_rule": rule, "allow": allow}}]


async def users(server: TestServer, *names: str) -> Sequence[Client]:
    return [await server.register(name) for name in names]


async def membership(server: TestServer, room_id: str, user: Client) -> Any:
    content = await seen.state(server, room_id, "m.room.member", user.user_id)
    return None if content is None else content["membership"]


async def test_a_public_room_is_joined_by_id_and_by_alias(server_on_each: TestServer) -> None:
    alice, bob, carol = await users(server_on_each, "alice", "bob", "carol")
    room_id = await alice.create_room(preset="public_chat", room_alias_name="tea")
    assert await bob.post(f"rooms/{room_id}/join", {"reason": "thirsty"}) == {"room_id": room_id}
    assert await carol.post("join/%23tea:hs1", via="hs1") == {"room_id": room_id}
    assert (await seen.state(server_on_each, room_id, "m.room.member", bob.user_id))["reason"] == "thirsty"
    dave = await server_on_each.register("dave")
    more = {"org.example.seat": 5, "membership": "ban", "displayname": "Bob", "third_party_invite": {}}
    await dave.post(f"join/{room_id}", more)
    content = {"membership": "join", "org.example.seat": 5}
    assert await seen.state(server_on_each, room_id, "m.room.member", dave.user_id) == content
    before = len(await seen.timeline(server_on_each, room_id))
    assert (await bob("POST", f"join/{room_id}")).ok() == {"room_id": room_id}
    assert len(await seen.timeline(server_on_each, room_id)) == before


async def test_rooms_that_are_not_there(server_on_each: TestServer) -> None:
    alice = await server_on_each.register("alice")
    (await alice("POST", "join/%23none:hs1", {})).error(404, "M_NOT_FOUND")
    (await alice("POST", "join/%23none:nowhere.invalid", {})).error(502, "M_UNKNOWN")
    (await alice("POST", "join/!none:nowhere.invalid", {})).error(502, "M_UNKNOWN")
    (await alice("POST", "join/none", {})).error(400, "M_INVALID_PARAM")
    (await alice("POST", "rooms/!a%00b:hs1/join", {})).error(400, "M_INVALID_PARAM")
    (await alice("POST", "rooms/!none:hs1/leave", {})).error(404, "M_NOT_FOUND")
    (await alice("POST", "knock/!none:hs1", {})).error(404, "M_NOT_FOUND")


async def test_a_private_room_needs_an_invitation(server: TestServer) -> None:
    alice, bob = await users(server, "alice", "bob")
    room_id = await alice.create_room()
    answer = (await bob("POST", f"join/{room_id}", {})).error(403, "M_FORBIDDEN")
    assert "invited" in answer["error"]
    await alice.post(f"rooms/{room_id}/invite", {"user_id": bob.user_id, "reason": "come"})
    assert (await seen.state(server, room_id, "m.room.member", bob.user_id))["reason"] == "come"
    await bob.post(f"join/{room_id}")
    assert await membership(server, room_id, bob) == "join"


async def test_who_cannot_be_invited(server: TestServer) -> None:
    alice, bob, carol = await users(server, "alice", "bob", "carol")
    room_id = await alice.create_room(invite=[bob.user_id], power_level_content_override={"invite": 50})
    path = f"rooms/{room_id}/invite"
    (await carol("POST", path, {"user_id": carol.user_id})).error(403, "M_FORBIDDEN")
    (await alice("POST", path, {"user_id": alice.user_id})).error(403, "M_FORBIDDEN")
    (await alice("POST", path, {"user_id": "bob"})).error(400, "M_INVALID_PARAM")
    (await alice("POST", path, {"reason": "x"})).error(400, "M_MISSING_PARAM")
    (await alice("POST", path, {"user_id": "@x:nowhere.invalid"})).error(502, "M_UNKNOWN")
    (await alice("POST", path, {"medium": "email", "address": "a@b", "id_server": "x"})).error(400, "M_MISSING_PARAM")
    before = len(await seen.timeline(server, room_id))
    assert await alice.post(path, {"user_id": bob.user_id}) == {}
    assert len(await seen.timeline(server, room_id)) == before
    await bob.post(f"join/{room_id}")
    (await bob("POST", path, {"user_id": carol.user_id})).error(403, "M_FORBIDDEN")
    (await alice("POST", path, {"user_id": bob.user_id})).error(403, "M_FORBIDDEN")
    await alice.post(f"rooms/{room_id}/ban", {"user_id": carol.user_id})
    answer = (await alice("POST", path, {"user_id": carol.user_id})).error(403, "M_FORBIDDEN")
    assert "banned" in answer["error"]


async def test_leaving_rejects_an_invite_and_is_done_once(server_on_each: TestServer) -> None:
    server = server_on_each
    alice, bob, carol = await users(server, "alice", "bob", "carol")
    room_id = await alice.create_room(invite=[bob.user_id])
    await bob.post(f"rooms/{room_id}/leave", {"reason": "no"})
    assert await membership(server, room_id, bob) == "leave"
    before = len(await seen.timeline(server, room_id))
    await bob.post(f"rooms/{room_id}/leave")
    assert len(await seen.timeline(server, room_id)) == before
    (await carol("POST", f"rooms/{room_id}/leave", {})).error(403, "M_FORBIDDEN")


async def test_kick_ban_and_unban(server_on_each: TestServer) -> None:
    server = server_on_each
    alice, bob, carol = await users(server, "alice", "bob", "carol")
    room_id = await alice.create_room(preset="public_chat")
    await bob.post(f"join/{room_id}")
    at = f"rooms/{room_id}"
    (await bob("POST", f"{at}/kick", {"user_id": alice.user_id})).error(403, "M_FORBIDDEN")
    (await carol("POST", f"{at}/ban", {"user_id": bob.user_id})).error(403, "M_FORBIDDEN")
    (await alice("POST", f"{at}/kick", {"user_id": carol.user_id})).error(403, "M_FORBIDDEN")
    (await alice("POST", f"{at}/kick", {"user_id": "bob"})).error(400, "M_INVALID_PARAM")
    (await alice("POST", f"{at}/kick", {})).error(400, "M_MISSING_PARAM")
    await alice.post(f"{at}/kick", {"user_id": bob.user_id, "reason": "rude"})
    assert (await seen.state(server, room_id, "m.room.member", bob.user_id))["reason"] == "rude"
    await bob.post(f"join/{room_id}")
    await alice.post(f"{at}/ban", {"user_id": bob.user_id})
    (await bob("POST", f"join/{room_id}", {})).error(403, "M_FORBIDDEN")
    (await bob("POST", f"{at}/leave", {})).error(403, "M_FORBIDDEN")
    (await alice("POST", f"{at}/kick", {"user_id": bob.user_id})).error(403, "M_FORBIDDEN")
    (await alice("POST", f"{at}/unban", {"user_id": carol.user_id})).error(403, "M_FORBIDDEN")
    await alice.post(f"{at}/unban", {"user_id": bob.user_id})
    assert await membership(server, room_id, bob) == "leave"
    await bob.post(f"join/{room_id}")


async def test_a_room_is_forgotten_only_after_leaving(server_on_each: TestServer) -> None:
    server = server_on_each
    alice, bob = await users(server, "alice", "bob")
    room_id = await alice.create_room(preset="public_chat")
    (await bob("POST", f"rooms/{room_id}/forget", {})).error(404, "M_NOT_FOUND")
    await bob.post(f"join/{room_id}")
    (await bob("POST", f"rooms/{room_id}/forget", {})).error(400, "M_UNKNOWN")
    await bob.post(f"rooms/{room_id}/leave")
    assert await bob.post(f"rooms/{room_id}/forget") == {}
    assert await bob.post(f"rooms/{room_id}/forget") == {}
    await bob.post(f"join/{room_id}")
    assert await bob.get("joined_rooms") == {"joined_rooms": [room_id]}


@pytest.mark.parametrize(("version", "rule"), [("7", "knock"), ("12", "knock"), ("10", "knock_restricted")])
async def test_knocking(server: TestServer, version: str, rule: str) -> None:
    alice, bob = await users(server, "alice", "bob")
    state = [{"type": "m.room.join_rules", "content": {"join_rule": rule}}]
    room_id = await alice.create_room(room_version=version, initial_state=state)
    assert await bob.post(f"knock/{room_id}", {"reason": "let me in"}) == {"room_id": room_id}
    assert await membership(server, room_id, bob) == "knock"
    (await bob("POST", f"join/{room_id}", {})).error(403, "M_FORBIDDEN")
    await bob.post(f"rooms/{room_id}/leave")
    assert await membership(server, room_id, bob) == "leave"
    await bob.post(f"knock/{room_id}")
    await alice.post(f"rooms/{room_id}/invite", {"user_id": bob.user_id})
    (await bob("POST", f"knock/{room_id}", {})).error(403, "M_FORBIDDEN")
    await bob.post(f"join/{room_id}")
    (await bob("POST", f"knock/{room_id}", {})).error(403, "M_FORBIDDEN")


async def test_knocking_where_it_is_not_wanted(server: TestServer) -> None:
    alice, bob = await users(server, "alice", "bob")
    private = await alice.create_room()
    old = await alice.create_room(
        room_version="6", initial_state=[{"type": "m.room.join_rules", "content": {"join_rule": "knock"}}]
    )
    knockable = await alice.create_room(
        initial_state=[{"type": "m.room.join_rules", "content": {"join_rule": "knock"}}]
    )
    await alice.post(f"rooms/{knockable}/ban", {"user_id": bob.user_id})
    for room_id in (private, old, knockable):
        (await bob("POST", f"knock/{room_id}", {})).error(403, "M_FORBIDDEN")


@pytest.mark.parametrize("version", ["8", "9", "10", "11", "12"])
async def test_a_restricted_room_lets_in_members_of_another(server: TestServer, version: str) -> None:
    alice, bob, carol = await users(server, "alice", "bob", "carol")
    space = await alice.create_room(preset="public_chat")
    room_id = await alice.create_room(room_version=version, initial_state=restricted(space))
    (await bob("POST", f"join/{room_id}", {})).error(403, "M_FORBIDDEN")
    await bob.post(f"join/{space}")
    await bob.post(f"join/{room_id}")
    content = await seen.state(server, room_id, "m.room.member", bob.user_id)
    assert content["join_authorised_via_users_server"] == alice.user_id
    await alice.post(f"rooms/{room_id}/invite", {"user_id": carol.user_id})
    await carol.post(f"join/{room_id}")
    content = await seen.state(server, room_id, "m.room.member", carol.user_id)
    assert "join_authorised_via_users_server" not in content


async def test_nobody_here_may_let_a_user_into_a_restricted_room(server: TestServer) -> None:
    alice, bob, carol = await users(server, "alice", "bob", "carol")
    space = await alice.create_room(preset="public_chat")
    room_id = await alice.create_room(
        initial_state=restricted(space), power_level_content_override={"invite": 50}, invite=[bob.user_id]
    )
    await bob.post(f"join/{room_id}")
    await alice.post(f"rooms/{room_id}/leave")
    await carol.post(f"join/{space}")
    (await carol("POST", f"join/{room_id}", {})).error(403, "M_FORBIDDEN")


async def test_forgery_of_an_authorised_join(server: TestServer) -> None:
    """Class "forgery": a user names an administrator as the one who lets them in."""
    alice, bob = await users(server, "alice", "bob")
    space = await alice.create_room()
    room_id = await alice.create_room(initial_state=restricted(space))
    content = {"membership": "join", "join_authorised_via_users_server": alice.user_id}
    path = f"rooms/{room_id}/state/m.room.member/{bob.user_id}"
    (await bob("PUT", path, content)).error(403, "M_FORBIDDEN")
    invited = {"membership": "invite", "join_authorised_via_users_server": alice.user_id}
    await alice.put(path, invited)
    assert await seen.state(server, room_id, "m.room.member", bob.user_id) == {"membership": "invite"}


async def test_memberships_as_state_events(server_on_each: TestServer) -> None:
    server = server_on_each
    alice, bob = await users(server, "alice", "bob")
    room_id = await alice.create_room()
    path = f"rooms/{room_id}/state/m.room.member"
    await alice.put(f"{path}/{bob.user_id}", {"membership": "invite", "is_direct": True})
    joined = await bob.put(f"{path}/{bob.user_id}", {"membership": "join", "displayname": "Bobby"})
    member = await seen.event(server, room_id, "m.room.member", bob.user_id)
    assert member is not None
    assert joined["event_id"] == member.event_id
    assert member.content == {"membership": "join", "displayname": "Bobby"}
    again = await bob.put(f"{path}/{bob.user_id}", {"membership": "join", "displayname": "Robert"})
    assert again["event_id"] != joined["event_id"]
    (await bob("PUT", f"{path}/{alice.user_id}", {"membership": "ban"})).error(403, "M_FORBIDDEN")
    (await bob("PUT", f"{path}/{bob.user_id}", {})).error(400, "M_BAD_JSON")
    (await bob("PUT", f"{path}/bob", {"membership": "join"})).error(400, "M_INVALID_PARAM")
    (await bob("PUT", f"{path}/{bob.user_id}", {"membership": "away"})).error(403, "M_FORBIDDEN")
    await alice.put(f"{path}/{bob.user_id}", {"membership": "ban"})
    assert await membership(server, room_id, bob) == "ban"


async def test_guests_come_and_go_with_guest_access(tmp_path: Any) -> None:
    config = make_config(tmp_path, registration=Registration(mode="open", guests=True))
    async with running_server(config) as server:
        alice = await server.register("alice")
        made = (await server.anonymous("POST", "register?kind=guest", {})).ok()
        guest = Client(server.session, server.base, made["access_token"], made["user_id"])
        closed = await alice.create_room(preset="public_chat")
        (await guest("POST", f"rooms/{closed}/join", {})).error(403, "M_FORBIDDEN")
        await alice.put(f"rooms/{closed}/state/m.room.guest_access", {"guest_access": "can_join"})
        await guest.post(f"rooms/{closed}/join")
        await guest.send(closed, "hello")
        await alice.put(f"rooms/{closed}/state/m.room.guest_access", {"guest_access": "forbidden"})
        assert await membership(server, closed, guest) == "leave"


async def test_many_join_at_once(server_on_each: TestServer) -> None:
    alice = await server_on_each.register("alice")
    room_id = await alice.create_room(preset="public_chat")
    many = await users(server_on_each, *(f"u{i}" for i in range(8)))
    await asyncio.gather(*(user.post(f"join/{room_id}") for user in many))
    held = await seen.room(server_on_each, room_id)
    assert held.joined == {alice.user_id, *(user.user_id for user in many)}
