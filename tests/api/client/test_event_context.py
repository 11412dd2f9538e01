"""An event and what happened around it."""

import pytest

from inprocess import TestServer


async def test_the_events_around_one(server_on_each: TestServer) -> None:
    alice = await server_on_each.register("alice")
    room_id = await alice.create_room(topic="first")
    sent = [await alice.send(room_id, f"m{i}") for i in range(9)]
    await alice.put(f"rooms/{room_id}/state/m.room.topic", {"topic": "last"})
    context = await alice.get(f"rooms/{room_id}/context/{sent[4]}", limit=5)
    assert context["event"]["event_id"] == sent[4]
    assert [e["event_id"] for e in context["events_before"]] == [sent[3], sent[2]]
    assert [e["event_id"] for e in context["events_after"]] == [sent[5], sent[6], sent[7]]
    topics = [e["content"]["topic"] for e in context["state"] if e["type"] == "m.room.topic"]
    assert topics == ["first"]
    older = await alice.get(f"rooms/{room_id}/messages", **{"dir": "b", "from": context["start"], "limit": 1})
    newer = await alice.get(f"rooms/{room_id}/messages", **{"dir": "f", "from": context["end"], "limit": 1})
    assert older["chunk"][0]["event_id"] == sent[1]
    assert newer["chunk"][0]["event_id"] == sent[8]


@pytest.mark.parametrize(("limit", "before", "after"), [(0, 0, 0), (1, 0, 1), (2, 1, 1), (1000, 40, 40)])
async def test_the_limit_is_for_both_sides_together(server: TestServer, limit: int, before: int, after: int) -> None:
    alice = await server.register("alice")
    room_id = await alice.create_room()
    sent = [await alice.send(room_id, f"m{i}") for i in range(81)]
    context = await alice.get(f"rooms/{room_id}/context/{sent[40]}", limit=limit)
    messages = [e for e in context["events_before"] if e["type"] == "m.room.message"]
    assert (len(messages), len(context["events_after"])) == (before, after)
    older = await alice.get(f"rooms/{room_id}/messages", **{"dir": "b", "from": context["start"], "limit": 1})
    beginning = limit == 1000
    assert [e["event_id"] for e in older["chunk"]] == ([] if beginning else [sent[39 - before]])


async def test_the_filter_is_for_the_neighbours_and_the_state(server: TestServer) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    room_id = await alice.create_room(preset="public_chat")
    await bob.post(f"join/{room_id}")
    one = await bob.send(room_id, "one")
    two = await alice.send(room_id, "two")
    path = f"rooms/{room_id}/context/{two}"
    context = await alice.get(path, filter=f'{{"senders":["{bob.user_id}"]}}')
    assert context["event"]["event_id"] == two
    assert context["events_before"][0]["event_id"] == one
    assert {e["sender"] for e in context["events_before"] + context["state"]} == {bob.user_id}
    context = await alice.get(path, filter='{"lazy_load_members":true}', limit=0)
    assert [e["state_key"] for e in context["state"] if e["type"] == "m.room.member"] == [alice.user_id]


async def test_the_context_is_for_members_and_ends_where_they_left(server: TestServer) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    room_id = await alice.create_room(preset="public_chat", topic="before")
    event_id = await alice.send(room_id, "hello")
    (await bob("GET", f"rooms/{room_id}/context/{event_id}")).error(403, "M_FORBIDDEN")
    await bob.post(f"join/{room_id}")
    await bob.post(f"rooms/{room_id}/leave")
    hidden = await alice.send(room_id, "hidden")
    await alice.put(f"rooms/{room_id}/state/m.room.topic", {"topic": "after"})
    context = await bob.get(f"rooms/{room_id}/context/{event_id}", limit=100)
    assert context["events_after"][-1]["content"]["membership"] == "leave"
    assert {"topic": "after"} not in [e["content"] for e in context["state"]]
    (await bob("GET", f"rooms/{room_id}/context/{hidden}")).error(404, "M_NOT_FOUND")
