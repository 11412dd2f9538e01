"""A process that writes to a room without pause does not keep another one out of it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from myelin.matrix.errors import Forbidden
from myelin.services.rooms import writer
from myelin.services.rooms.building import Draft
from myelin.services.rooms.check import RoomCheck
from myelin.services.rooms.writer import Once
from polling import DEADLINE_S
from room_house import House, room_house, user

pytestmark = pytest.mark.postgres

BUSY_WRITERS = 8
MESSAGES = 20

Start = Callable[[], "asyncio.Future[House]"]


@pytest.fixture
async def houses(tmp_path: Path, postgres_url: str) -> AsyncIterator[tuple[House, House]]:
    """Two processes, as far as their database can tell."""
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(room_house(tmp_path, postgres_url))
        two = await stack.enter_async_context(room_house(tmp_path, postgres_url))
        yield one, two


async def busy(house: House, room_id: str, until: asyncio.Event) -> None:
    number = 0
    while not until.is_set():
        number += 1
        await house.say(room_id, "alice", f"busy {number}")


async def test_who_writes_now_and_then_gets_a_turn(houses: tuple[House, House]) -> None:
    one, two = houses
    room_id = await one.make_room("alice", "bob")
    done = asyncio.Event()
    talkers = [asyncio.create_task(busy(one, room_id, done)) for _ in range(BUSY_WRITERS)]
    took = []
    try:
        for i in range(MESSAGES):
            began = time.monotonic()
            draft = Draft(sender=user("alice"), type="org.example.state", content={"i": i}, state_key="")
            await two.writer.send(room_id, draft)
            took.append(time.monotonic() - began)
    finally:
        done.set()
        await asyncio.gather(*talkers)
    assert max(took) < DEADLINE_S
    assert await RoomCheck(two.ground.database).check(room_id) == []


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every write holds the log."""
    monkeypatch.setattr(writer, "PATIENCE", 0)


async def test_writes_that_hold_the_log_are_writes_like_others(houses: tuple[House, House], impatient: None) -> None:
    one, two = houses
    room_id = await one.make_room("alice", "bob")
    once = Once(user("bob"), "DEV", "t1", room_id)
    draft = Draft(sender=user("bob"), type="m.room.message", content={"body": "once"})
    both = await asyncio.gather(*(house.writer.send(room_id, draft, once=once) for house in (one, two, one, two)))
    assert len(set(both)) == 1
    topic = Draft(sender=user("alice"), type="m.room.topic", content={"topic": "t"}, state_key="")
    same = [await house.writer.send(room_id, topic) for house in (one, two, one)]
    assert len(set(same)) == 1
    said = await two.say(room_id, "bob", "secret")
    await one.redact(room_id, "alice", said)
    with pytest.raises(Forbidden):
        await two.say(room_id, "mallory", "let me in")
    sent = await asyncio.gather(*(house.say(room_id, "bob", i) for i in range(10) for house in houses))
    assert len(set(sent)) == 20
    assert await RoomCheck(two.ground.database).check_all() == []


async def test_writes_that_hold_the_log_and_others_share_a_room(
    houses: tuple[House, House], monkeypatch: pytest.MonkeyPatch
) -> None:
    room_id = await houses[0].make_room("alice", "bob")

    async def mixed(house: House, i: int) -> str:
        monkeypatch.setattr(writer, "PATIENCE", i % 3)
        if i % 4:
            return await house.say(room_id, "bob", i)
        draft = Draft(
            sender=user("alice"), type="org.example.state", content={"i": i, "by": id(house)}, state_key=str(i % 3)
        )
        return await house.writer.send(room_id, draft)

    sent = await asyncio.gather(*(mixed(house, i) for i in range(40) for house in houses))
    assert len(set(sent)) == 80
    for house in houses:
        assert await RoomCheck(house.ground.database).check(room_id) == []
