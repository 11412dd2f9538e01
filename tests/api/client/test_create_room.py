"""Making rooms over HTTP."""

from inprocess import TestServer


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
