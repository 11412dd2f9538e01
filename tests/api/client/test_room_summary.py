"""Rooms at a glance."""

from inprocess import TestServer

SUMMARY = "/_matrix/client/v1/room_summary/"


async def test_a_public_room_shows_itself_to_anybody(server: TestServer) -> None:
    alice = await server.register("alice")
    room_id = await alice.create_room(preset="public_chat", name="Garden", topic="plants", room_alias_name="garden")
    for asked in (room_id, "%23garden%3Ahs1"):
        seen = (await server.anonymous("GET", f"{SUMMARY}{asked}")).ok()
        assert (seen["room_id"], seen["name"], seen["topic"]) == (room_id, "Garden", "plants")
        assert (seen["num_joined_members"], seen["join_rule"], seen["guest_can_join"]) == (1, "public", False)
        assert "membership" not in seen
    assert (await alice.get(f"{SUMMARY}{room_id}"))["membership"] == "join"


async def test_a_private_room_shows_itself_to_members_alone(server: TestServer) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    room_id = await alice.create_room(preset="private_chat", name="Cellar")
    for client in (bob, server.anonymous):
        (await client("GET", f"{SUMMARY}{room_id}")).error(404, "M_NOT_FOUND")
    await alice.post(f"rooms/{room_id}/invite", {"user_id": bob.user_id})
    seen = await bob.get(f"{SUMMARY}{room_id}")
    assert (seen["name"], seen["membership"]) == ("Cellar", "invite")
    (await alice("GET", f"{SUMMARY}%23nowhere%3Ahs1")).error(404, "M_NOT_FOUND")
