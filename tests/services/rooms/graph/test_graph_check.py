"""A sound room has no findings; damage to its ends or state is found and repaired."""

import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from myelin.app.offline_rooms import check_in
from myelin.db.sql import Sql
from remote_room import RemoteRoom
from room_house import House, room_house
from services.rooms.graph.test_graph import Here, grow


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else ""
    async with room_house(tmp_path, url) as house:
        yield house


async def grown(house: House) -> Here:
    remote = RemoteRoom("one")
    here = Here(house, remote)
    start = await here.adopt(remote.begin())
    await here.receive(*grow(remote, start, random.Random(5), 30))
    last = remote.say("last", *(remote.events[e] for e in remote.ends(here.known)))
    left = remote.add("m.room.topic", {"topic": "left"}, last, state_key="")
    right = remote.add("m.room.topic", {"topic": "right"}, last, state_key="")
    await here.receive(last, left, right)
    await here.check()
    return here


async def test_a_sound_room_has_no_findings(house: House) -> None:
    here = await grown(house)
    assert await check_in(house.ground, here.remote.room_id, repair=True) == []


@pytest.mark.parametrize(
    ("damage", "kind"),
    [
        ("UPDATE rooms SET extremities = '[\"$none\"]'", "extremities"),
        ("DELETE FROM state WHERE type = 'm.room.topic' AND to_pos > 1000000", "state"),
    ],
)
async def test_damage_is_found_and_repaired(house: House, damage: str, kind: str) -> None:
    here = await grown(house)
    room_id = here.remote.room_id
    assert await house.ground.database.execute(Sql(damage), ()) == 1
    here.rooms.drop(room_id)
    assert kind in {f.kind for f in await check_in(house.ground, room_id, repair=False)}
    assert kind in {f.kind for f in await check_in(house.ground, room_id, repair=True)}
    assert await check_in(house.ground, room_id, repair=False) == []


async def test_a_room_whose_members_came_later_is_sound(house: House) -> None:
    here = await grown(house)
    room = await here.rooms.get(here.remote.room_id)
    more = {**room.state, ("m.room.name", "later"): next(iter(room.state.values()))}
    await here.writer.replace_state(room.room_id, more)
    assert await check_in(house.ground, room.room_id, repair=True) == []
    assert (await here.rooms.get(room.room_id)).state == more
