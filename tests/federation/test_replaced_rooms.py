"""What a server's directories say of rooms of others that were replaced or left."""

import uuid
from typing import Any
from urllib.parse import quote

import pytest

from federation.conftest import Sides
from federation.member import Member, eventually

pytestmark = [pytest.mark.peers, pytest.mark.parametrize("sides", ["myelin-second"], indirect=True)]


async def test_aliases_and_publication_go_where_the_tombstone_points(sides: Sides) -> None:
    alice, bob = await sides.host.user("alice"), await sides.guest.user("bob")
    room = await alice.create_room("10")
    await bob.join(room, alice)
    await alice.member_becomes(room, bob, "join")
    levels = await alice.get(f"rooms/{room}/state/m.room.power_levels/")
    await alice.put(
        f"rooms/{room}/state/m.room.power_levels/", {**levels, "users": {**levels["users"], bob.user_id: 100}}
    )
    await bob.state_becomes(room, "m.room.power_levels", lambda content: bob.user_id in content["users"])
    alias = f"directory/room/{quote(f'#moved-{uuid.uuid4().hex}:{bob.server_name}', safe='')}"
    await bob.put(alias, {"room_id": room})
    await bob.put(f"directory/list/room/{room}", {"visibility": "public"})
    new = (await alice.post(f"rooms/{room}/upgrade", {"new_version": "11"}))["replacement_room"]
    await bob.state_becomes(room, "m.room.tombstone", lambda content: content["replacement_room"] == new)
    assert (await bob.get(alias))["room_id"] == room
    await bob.join(new, alice)
    assert (await bob.get(alias))["room_id"] == new
    listed = {found["room_id"] for found in (await bob.get("publicRooms"))["chunk"]}
    assert new in listed
    assert room not in listed


async def test_users_of_a_public_room_are_found_while_the_server_is_in_it(sides: Sides) -> None:
    alice, bob, eve = await sides.host.user("alice"), await sides.guest.user("bob"), await sides.guest.user("eve")
    name = f"Name {uuid.uuid4().hex}"
    await alice.put(f"profile/{alice.user_id}/displayname", {"displayname": name})
    room = await alice.create_room()
    assert not await _finds(eve, name)
    for _ in range(2):
        await bob.join(room, alice)
        assert await eventually(lambda: _finds(eve, name)) == [alice.user_id]
        await bob.leave(room)
        assert not await _finds(eve, name)


async def _finds(searcher: Member, name: str) -> list[Any]:
    found = await searcher.post("user_directory/search", {"search_term": name})
    return [user["user_id"] for user in found["results"]]
