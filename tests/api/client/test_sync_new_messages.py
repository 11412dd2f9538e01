"""What is put together once for all readers of a room is JSON for each of them, whatever counts they ask for."""

import json

import pytest

from inprocess import TestServer


@pytest.mark.parametrize("timeline", [{}, {"unread_thread_notifications": True}])
async def test_a_new_message_arrives_with_counts_of_either_form(server: TestServer, timeline: dict[str, bool]) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    room_id = await alice.create_room(preset="public_chat")
    await bob.post(f"join/{room_id}")
    wanted = json.dumps({"room": {"timeline": timeline}})
    token = (await bob.get("sync", filter=wanted))["next_batch"]
    for number in range(3):
        event_id = await alice.send(room_id, f"message {number}")
        answer = await bob.get("sync", filter=wanted, since=token)
        token = answer["next_batch"]
        section = answer["rooms"]["join"][room_id]
        assert [event["event_id"] for event in section["timeline"]["events"]] == [event_id]
        assert section["unread_notifications"] == {"notification_count": number + 1, "highlight_count": 0}
        assert ("unread_thread_notifications" in section) is bool(timeline)
