"""What is known of rooms for filters."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from myelin.services.sliding_sync import room_facts
from myelin.services.sliding_sync.room_facts import CREATE, ENCRYPTION, NAME, Facts, RoomFacts
from room_house import House, room_house


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    """Rooms on each engine."""
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else ""
    async with room_house(tmp_path, url) as house:
        await house.add_users("alice")
        yield house


async def test_only_rooms_of_which_something_is_said_are_named(house: House) -> None:
    facts = RoomFacts(house.ground.database, house.ground.feed)
    plain, secret = await house.make_room("alice"), await house.make_room("alice")
    await house.set_state(secret, "alice", ENCRYPTION, {"algorithm": "m.megolm.v1.aes-sha2"})
    rooms = [plain, secret, "!unknown:hs1"]
    for _ in range(2):
        assert await facts.of_all(rooms, {CREATE, ENCRYPTION}) == {secret: Facts(is_encrypted=True)}
    await house.set_state(plain, "alice", NAME, {"name": "Plain"})
    assert await facts.of_all(rooms, {NAME}) == {plain: Facts(name="Plain")}


async def test_what_changes_while_it_is_read_is_not_remembered(house: House) -> None:
    facts = RoomFacts(house.ground.database, house.ground.feed)
    changing, other = await house.make_room("alice"), await house.make_room("alice")
    with facts.reading() as changed:
        await house.set_state(changing, "alice", NAME, {"name": "New"})
        assert changed == {changing}
        facts.learn(NAME, [changing, other], {changing: "Old", other: "As read"}, changed)
    assert await facts.of_all([changing, other], {NAME}) == {changing: Facts(name="New"), other: Facts(name="As read")}


async def test_all_is_forgotten_when_it_is_too_much(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room_facts, "MAX_REMEMBERED", 2)
    facts = RoomFacts(house.ground.database, house.ground.feed)
    room_id = await house.make_room("alice")
    facts.learn(NAME, [room_id, "!a:hs1"], {room_id: "Made up"}, frozenset())
    assert await facts.of_all([room_id], {NAME}) == {room_id: Facts(name="Made up")}
    facts.learn(NAME, ["!b:hs1"], {}, frozenset())
    facts.learn(NAME, ["!c:hs1"], {}, frozenset())
    assert await facts.of_all([room_id], {NAME}) == {}
