"""The transaction ID goes to the device that sent the event and to no other of the same name."""

from inprocess import TestServer


async def test_another_users_device_of_the_same_name_does_not_see_the_transaction_id(server: TestServer) -> None:
    alice = await server.register("alice", device_id="PHONE")
    bob = await server.register("bob", device_id="PHONE")
    room_id = await alice.create_room(preset="public_chat")
    await bob.post(f"join/{room_id}")
    event_id = await alice.send(room_id, "hello")
    for client, expected in ((alice, True), (bob, False)):
        joined = (await client.get("sync"))["rooms"]["join"][room_id]
        event = next(e for e in joined["timeline"]["events"] if e["event_id"] == event_id)
        assert ("transaction_id" in event["unsigned"]) is expected
