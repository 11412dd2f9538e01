"""Rooms that two users share."""

import pytest

from inprocess import TestServer
from myelin.services.rooms.mutual_rooms import MutualRooms

PATH = "/_matrix/client/v1/mutual_rooms"


async def test_only_rooms_that_both_are_in_now(server_on_each: TestServer) -> None:
    alice, bob = [await server_on_each.register(name) for name in ("alice", "bob")]
    shared, left, invited, own = [await alice.create_room(preset="public_chat") for _ in range(4)]
    for room_id in (shared, left):
        await bob.post(f"join/{room_id}")
    await bob.post(f"rooms/{left}/leave")
    await alice.post(f"rooms/{invited}/invite", {"user_id": bob.user_id})
    assert own not in (shared, left, invited)
    for one, other in ((alice, bob), (bob, alice)):
        assert await one.get(PATH, user_id=other.user_id) == {"joined": [shared], "count": 1}
    assert await alice.get(PATH, user_id="@nobody:elsewhere") == {"joined": [], "count": 0}


async def test_it_comes_in_pages(server: TestServer) -> None:
    alice, bob = [await server.register(name) for name in ("alice", "bob")]
    rooms = sorted([await alice.create_room(preset="public_chat") for _ in range(3)])
    for room_id in rooms:
        await bob.post(f"join/{room_id}")
    pages = MutualRooms(server.app.ground.database, page_size=2)
    first = await pages.page(alice.user_id, bob.user_id, None)
    assert (first.room_ids, first.total) == (rooms[:2], 3)
    assert await pages.page(alice.user_id, bob.user_id, first.next_batch) == (rooms[2:], 3, None)
    assert (await alice.get(PATH, user_id=bob.user_id, from_=first.next_batch))["joined"] == rooms[2:]


@pytest.mark.parametrize(
    "query", [{"user_id": "bob"}, {"user_id": "@alice:hs1"}, {"user_id": "@bob:hs1", "from_": "nonsense"}]
)
async def test_what_makes_no_sense(server: TestServer, query: dict[str, str]) -> None:
    alice = await server.register("alice")
    (await alice("GET", PATH, **query)).error(400, "M_INVALID_PARAM")


async def test_a_user_must_be_named(server: TestServer) -> None:
    alice = await server.register("alice")
    (await alice("GET", PATH)).error(400, "M_MISSING_PARAM")
    (await server.anonymous("GET", PATH, user_id="@bob:hs1")).error(401, "M_MISSING_TOKEN")
