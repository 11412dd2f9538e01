"""State costs one row a change, however much is said in between."""

import asyncio
from pathlib import Path

import pytest

from myelin.db.sql import Sql
from myelin.services.rooms.building import Draft
from myelin.services.rooms.check import RoomCheck
from room_house import House, room_house, user

MESSAGES = 10_000
CHANGES = 200
AT_ONCE = 250

ROWS = Sql("SELECT count(*) FROM state WHERE room_id = :room_id")
STATE_EVENTS = Sql("SELECT count(*) FROM events WHERE room_id = :room_id AND state_key IS NOT NULL")
EVENTS = Sql("SELECT count(*) FROM events WHERE room_id = :room_id")


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def test_ten_thousand_messages_leave_no_trace_in_the_state(
    tmp_path: Path, request: pytest.FixtureRequest, engine: str
) -> None:
    url = request.getfixturevalue("postgres_url") if engine == "postgres" else ""
    async with room_house(tmp_path, url) as house:
        room_id = await house.make_room("alice", "bob")
        before = await count(house, ROWS, room_id)
        assert before == await count(house, STATE_EVENTS, room_id)
        drafts = [message(i) for i in range(MESSAGES)]
        every = MESSAGES // CHANGES
        for i in range(CHANGES):
            drafts.insert(i * (every + 1), change(i))
        for i in range(0, len(drafts), AT_ONCE):
            await asyncio.gather(*(house.writer.send(room_id, draft) for draft in drafts[i : i + AT_ONCE]))
        assert await count(house, ROWS, room_id) == before + CHANGES
        assert await count(house, STATE_EVENTS, room_id) == before + CHANGES
        assert await count(house, EVENTS, room_id) == before + CHANGES + MESSAGES
        assert await RoomCheck(house.ground.database).check(room_id) == []


def message(i: int) -> Draft:
    return Draft(sender=user("bob"), type="m.room.message", content={"msgtype": "m.text", "body": f"message {i}"})


def change(i: int) -> Draft:
    """Of a topic that changes often, or of one key among many."""
    if i % 2:
        return Draft(sender=user("alice"), type="m.room.topic", content={"topic": f"topic {i}"}, state_key="")
    return Draft(sender=user("alice"), type="org.example.key", content={"i": i}, state_key=str(i % 20))


async def count(house: House, sql: Sql, room_id: str) -> int:
    return (await house.ground.database.fetch(sql, (room_id,)))[0][0]
