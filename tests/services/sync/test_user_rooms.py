"""What is known of the rooms a user is in."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from myelin.bus.news import RoomForgotten
from myelin.services.sync.user_rooms import UserRooms
from room_house import House, room_house, user


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    """Rooms on each engine."""
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else ""
    async with room_house(tmp_path, url) as house:
        await house.add_users("alice", "bob")
        yield house


def users_of(house: House) -> UserRooms:
    """Views that know nothing yet."""
    return UserRooms(house.ground.database, house.ground.feed)


async def test_what_is_read_is_what_was_heard(house: House) -> None:
    """A view that followed the news says the same as one that is read from the database."""
    following = users_of(house)
    await following.of(user("bob"))
    one, two, three = [await house.make_room("alice", join_rule="public") for _ in range(3)]
    await house.set_membership(one, "bob", "join")
    await house.set_membership(one, "bob", "join", displayname="Bobby")
    await house.set_membership(two, "bob", "join")
    await house.set_membership(two, "bob", "leave")
    await house.set_membership(three, "bob", "join")
    await house.set_membership(three, "bob", "leave")
    await house.set_membership(three, "bob", "join", displayname="B")
    heard, read = await following.of(user("bob")), await users_of(house).of(user("bob"))
    assert heard is following.recall(user("bob"))
    assert heard.standings == read.standings
    assert heard.joined == read.joined == {one, three}
    assert heard.latest == read.latest
    assert {r: s.membership for r, s in read.standings.items()} == {one: "join", two: "leave", three: "join"}


async def test_a_new_name_does_not_begin_a_new_stay(house: House) -> None:
    users = users_of(house)
    room_id = await house.make_room("alice", join_rule="public")
    await house.set_membership(room_id, "bob", "join")
    came = (await users.of(user("bob"))).standings[room_id]
    assert came.entered == came.position
    await house.set_membership(room_id, "bob", "join", displayname="Bobby")
    for view in (await users.of(user("bob")), await users_of(house).of(user("bob"))):
        renamed = view.standings[room_id]
        assert renamed.entered == came.position < renamed.position
    await house.set_membership(room_id, "bob", "leave")
    await house.set_membership(room_id, "bob", "join")
    for view in (await users.of(user("bob")), await users_of(house).of(user("bob"))):
        back = view.standings[room_id]
        assert back.entered == back.position > renamed.position


async def test_a_view_that_is_lent_stays_as_it_is(house: House) -> None:
    users = users_of(house)
    room_id = await house.make_room("alice", join_rule="public")
    await users.of(user("bob"))
    lent = users.lend(user("bob"))
    assert lent is not None
    await house.set_membership(room_id, "bob", "join")
    assert room_id not in lent.standings
    assert room_id not in lent.joined
    view = users.recall(user("bob"))
    assert view is not None
    assert view.joined == {room_id}
    await house.set_membership(room_id, "bob", "leave")
    assert users.recall(user("bob")) is view  # nobody has it: it need not be copied
    assert view.joined == set()


async def test_changes_since_a_position(house: House) -> None:
    users = users_of(house)
    one, two = [await house.make_room("alice", join_rule="public") for _ in range(2)]
    await house.set_membership(one, "bob", "join")
    view = await users.of(user("bob"))
    between = house.ground.feed.position
    assert view.changed_since(between) == []
    await house.set_membership(two, "bob", "join")
    assert [room_id for room_id, _ in view.changed_since(between)] == [two]
    assert {room_id for room_id, _ in view.changed_since(0)} == {one, two}


async def test_forgotten_rooms_are_remembered_when_one_is_back(house: House) -> None:
    users = users_of(house)
    room_id = await house.make_room("alice", "bob", join_rule="public")
    await users.of(user("bob"))
    await house.set_membership(room_id, "bob", "leave")
    house.ground.feed.whisper(RoomForgotten(user("bob"), room_id))
    view = await users.of(user("bob"))
    assert view.forgotten == {room_id}
    await house.set_membership(room_id, "bob", "join")
    assert view.forgotten == set()


async def test_memberships_are_read_in_slices(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a room's history goes over the end of one."""
    monkeypatch.setattr("myelin.services.sync.user_rooms.AT_ONCE", 2)
    following = users_of(house)
    await following.of(user("bob"))
    rooms = [await house.make_room("alice", join_rule="public") for _ in range(4)]
    for room_id in rooms:
        for membership in ("join", "leave", "join"):
            await house.set_membership(room_id, "bob", membership)
    await house.set_membership(rooms[1], "bob", "leave")
    heard, read = await following.of(user("bob")), await users_of(house).of(user("bob"))
    assert heard.standings == read.standings
    assert list(heard.standings) == list(read.standings) == [rooms[0], rooms[2], rooms[3], rooms[1]]
    assert heard.joined == read.joined == {rooms[0], rooms[2], rooms[3]}
    assert [room_id for room_id, _ in read.changed_since(read.standings[rooms[2]].position)] == [rooms[1], rooms[3]]
