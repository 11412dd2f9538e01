"""Single events, state and members over HTTP."""

from typing import Any

import pytest

from inprocess import Client, TestServer


async def house(server: TestServer, **room: Any) -> tuple[Client, Client, str]:
    """Alice's public room, with bob in it."""
    alice, bob = await server.register("alice"), await server.register("bob")
    room_id = await alice.create_room(preset="public_chat", **room)
    await bob.post(f"join/{room_id}")
    return alice, bob, room_id


def by_key(events: list[Any]) -> dict[tuple[str, str], Any]:
    return {(e["type"], e["state_key"]): e for e in events}


async def test_an_event_is_shown_to_members_only(server_on_each: TestServer) -> None:
    alice, bob, room_id = await house(server_on_each)
    eve = await server_on_each.register("eve")
    event_id = await alice.send(room_id, "hello")
    event = await bob.get(f"rooms/{room_id}/event/{event_id}")
    assert (event["event_id"], event["room_id"], event["sender"]) == (event_id, room_id, alice.user_id)
    assert event["content"]["body"] == "hello"
    assert event["unsigned"]["age"] >= 0
    (await eve("GET", f"rooms/{room_id}/event/{event_id}")).error(404, "M_NOT_FOUND")
    (await bob("GET", f"rooms/{room_id}/event/$unknown")).error(404, "M_NOT_FOUND")
    (await bob("GET", f"rooms/!unknown:hs1/event/{event_id}")).error(404, "M_NOT_FOUND")


async def test_s_ghsa_27p5_an_event_is_not_read_through_another_room(server_on_each: TestServer) -> None:
    alice, bob, room_id = await house(server_on_each)
    secret_room = await alice.create_room()
    secret = await alice.send(secret_room, "secret")
    for path in (f"event/{secret}", f"context/{secret}"):
        (await bob("GET", f"rooms/{room_id}/{path}")).error(404, "M_NOT_FOUND")
    (await bob("GET", f"/_matrix/client/v1/rooms/{room_id}/relations/{secret}")).error(404, "M_NOT_FOUND")
    await alice.get(f"rooms/{secret_room}/event/{secret}")  # it is in memory now
    (await bob("GET", f"rooms/{room_id}/event/{secret}")).error(404, "M_NOT_FOUND")


async def test_state_is_whole_and_current(server_on_each: TestServer) -> None:
    alice, bob, room_id = await house(server_on_each, name="Tea", topic="Leaves")
    await alice.put(f"rooms/{room_id}/state/m.room.topic", {"topic": "Cups"})
    state = by_key(await bob.get(f"rooms/{room_id}/state"))
    assert state["m.room.topic", ""]["content"] == {"topic": "Cups"}
    assert state["m.room.name", ""]["content"] == {"name": "Tea"}
    assert {key for kind, key in state if kind == "m.room.member"} == {alice.user_id, bob.user_id}
    assert len(state) == len(await bob.get(f"rooms/{room_id}/state"))


async def test_a_piece_of_state_is_its_content_or_the_event(server_on_each: TestServer) -> None:
    alice, bob, room_id = await house(server_on_each, topic="Leaves")
    for path in ("state/m.room.topic", "state/m.room.topic/"):
        assert (await bob.get(f"rooms/{room_id}/{path}"))["topic"] == "Leaves"
        event = await bob.get(f"rooms/{room_id}/{path}", format="event")
        assert (event["type"], event["state_key"], event["room_id"]) == ("m.room.topic", "", room_id)
    member = await bob.get(f"rooms/{room_id}/state/m.room.member/{alice.user_id}")
    assert member["membership"] == "join"
    (await bob("GET", f"rooms/{room_id}/state/m.room.avatar")).error(404, "M_NOT_FOUND")
    (await bob("GET", f"rooms/{room_id}/state/m.room.topic", format="xml")).error(400, "M_INVALID_PARAM")


async def test_who_left_reads_the_state_of_that_moment(server_on_each: TestServer) -> None:
    alice, bob, room_id = await house(server_on_each, topic="before")
    carol = await server_on_each.register("carol")
    await bob.post(f"rooms/{room_id}/leave")
    await alice.put(f"rooms/{room_id}/state/m.room.topic", {"topic": "after"})
    await alice.put(f"rooms/{room_id}/state/m.room.name", {"name": "after"})
    await carol.post(f"join/{room_id}")
    state = by_key(await bob.get(f"rooms/{room_id}/state"))
    assert state["m.room.topic", ""]["content"]["topic"] == "before"
    assert state["m.room.member", bob.user_id]["content"]["membership"] == "leave"
    assert ("m.room.name", "") not in state
    assert (await bob.get(f"rooms/{room_id}/state/m.room.topic"))["topic"] == "before"
    (await bob("GET", f"rooms/{room_id}/state/m.room.name")).error(404, "M_NOT_FOUND")
    members = by_key((await bob.get(f"rooms/{room_id}/members"))["chunk"])
    assert {key for _, key in members} == {alice.user_id, bob.user_id}
    now = (await alice.get("sync"))["next_batch"]
    at_now = by_key((await bob.get(f"rooms/{room_id}/members", at=now))["chunk"])
    assert at_now.keys() == members.keys()
    (await bob("GET", f"rooms/{room_id}/joined_members")).error(403, "M_FORBIDDEN")


@pytest.mark.parametrize("path", ["state", "state/m.room.create", "members", "joined_members", "initialSync"])
async def test_strangers_and_the_invited_read_no_state(server: TestServer, path: str) -> None:
    alice, _, room_id = await house(server)
    eve = await server.register("eve")
    (await eve("GET", f"rooms/{room_id}/{path}")).error(403, "M_FORBIDDEN")
    (await eve("GET", f"rooms/!unknown:hs1/{path}")).error(403, "M_FORBIDDEN")
    await alice.post(f"rooms/{room_id}/invite", {"user_id": eve.user_id})
    (await eve("GET", f"rooms/{room_id}/{path}")).error(403, "M_FORBIDDEN")


async def test_anybody_reads_the_state_of_a_world_readable_room(server: TestServer) -> None:
    alice, _, room_id = await house(server)
    eve = await server.register("eve")
    await alice.put(f"rooms/{room_id}/state/m.room.history_visibility", {"history_visibility": "world_readable"})
    assert len(await eve.get(f"rooms/{room_id}/state")) > 5
    assert (await eve.get(f"rooms/{room_id}/members"))["chunk"]
    await alice.put(f"rooms/{room_id}/state/m.room.history_visibility", {"history_visibility": "shared"})
    (await eve("GET", f"rooms/{room_id}/state")).error(403, "M_FORBIDDEN")


async def test_members_are_chosen_by_membership(server_on_each: TestServer) -> None:
    alice, bob, room_id = await house(server_on_each)
    carol, dave = await server_on_each.register("carol"), await server_on_each.register("dave")
    before = (await alice.get("sync"))["next_batch"]
    await carol.post(f"join/{room_id}")
    await carol.post(f"rooms/{room_id}/leave")
    await alice.post(f"rooms/{room_id}/invite", {"user_id": dave.user_id})

    async def names(**query: str) -> set[str]:
        members = (await bob.get(f"rooms/{room_id}/members", **query))["chunk"]
        return {event["state_key"] for event in members}

    a, b, c, d = (user.user_id for user in (alice, bob, carol, dave))
    assert await names() == {a, b, c, d}
    assert await names(membership="join") == {a, b}
    assert await names(not_membership="join") == {c, d}
    assert await names(not_membership="leave") == {a, b, d}
    assert await names(membership="invite", not_membership="join") == {c, d}
    assert await names(membership="ban") == set()
    assert await names(at=before) == {a, b}
    (await bob("GET", f"rooms/{room_id}/members", membership="owner")).error(400, "M_INVALID_PARAM")
    (await bob("GET", f"rooms/{room_id}/members", at="junk")).error(400, "M_INVALID_PARAM")


async def test_members_before_ones_own_time_are_those_of_the_join(server: TestServer) -> None:
    alice, carol = await server.register("alice"), await server.register("carol")
    hidden = {"type": "m.room.history_visibility", "content": {"history_visibility": "joined"}}
    room_id = await alice.create_room(preset="public_chat", initial_state=[hidden])
    before = (await alice.get("sync"))["next_batch"]
    dave = await server.register("dave")
    await dave.post(f"join/{room_id}")
    await carol.post(f"join/{room_id}")
    members = (await carol.get(f"rooms/{room_id}/members", at=before))["chunk"]
    assert {e["state_key"] for e in members} == {alice.user_id, carol.user_id, dave.user_id}
    members = (await alice.get(f"rooms/{room_id}/members", at=before))["chunk"]
    assert {e["state_key"] for e in members} == {alice.user_id}


async def test_joined_members_have_names_and_avatars(server_on_each: TestServer) -> None:
    alice, bob, room_id = await house(server_on_each)
    await bob.put(
        f"rooms/{room_id}/state/m.room.member/{bob.user_id}",
        {"membership": "join", "displayname": "Bob", "avatar_url": "mxc://hs1/face"},
    )
    await alice.put(
        f"rooms/{room_id}/state/m.room.member/{alice.user_id}",
        {"membership": "join", "displayname": 7, "avatar_url": "https://x"},
    )
    assert await alice.get(f"rooms/{room_id}/joined_members") == {
        "joined": {bob.user_id: {"display_name": "Bob", "avatar_url": "mxc://hs1/face"}, alice.user_id: {}}
    }
