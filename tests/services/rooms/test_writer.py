"""Rooms are written by one process or several, and what is written is what is read."""

import asyncio
import dataclasses
import itertools
from collections.abc import AsyncIterator

import orjson
import pytest

from inprocess import SERVER_NAME, make_config
from myelin.app.build import lay_ground
from myelin.app.ground import Ground
from myelin.app.parts.rooms import make_rooms
from myelin.matrix.errors import Forbidden
from myelin.services.rooms.building import Draft
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.writer import Once, RoomWriter
from myelin.store.events import EventStore
from myelin.store.rooms import RoomStore
from myelin.store.state import StateStore
from myelin.telemetry.ambient import SystemClock, SystemRandomness

ALICE = f"@alice:{SERVER_NAME}"
BOB = f"@bob:{SERVER_NAME}"


@dataclasses.dataclass
class Process:
    ground: Ground
    rooms: Rooms
    writer: RoomWriter

    @classmethod
    async def start(cls, config) -> "Process":
        ground = await lay_ground(config, SystemClock(), SystemRandomness())
        services = make_rooms(ground, {}).services
        return cls(ground, services[Rooms], services[RoomWriter])

    async def stop(self) -> None:
        await self.ground.committer.drain()
        await self.ground.database.close()

    async def make_room(self, version: str = "12") -> str:
        drafts = [
            Draft(
                sender=ALICE, type="m.room.create", content={"room_version": version, "creator": ALICE}, state_key=""
            ),
            Draft(sender=ALICE, type="m.room.member", content={"membership": "join"}, state_key=ALICE),
            Draft(
                sender=ALICE,
                type="m.room.power_levels",
                content={"users": {} if version == "12" else {ALICE: 100}},
                state_key="",
            ),
            Draft(sender=ALICE, type="m.room.join_rules", content={"join_rule": "public"}, state_key=""),
        ]
        room_id = None if version == "12" else f"!made:{SERVER_NAME}"
        return (await self.writer.create(room_id, version, drafts)).room_id


def message(text: str, sender: str = ALICE) -> Draft:
    return Draft(sender=sender, type="m.room.message", content={"body": text, "msgtype": "m.text"})


@pytest.fixture(params=["sqlite", "postgres"])
async def process(request, tmp_path) -> AsyncIterator[Process]:
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else ""
    process = await Process.start(make_config(tmp_path, url))
    yield process
    await process.stop()


@pytest.mark.parametrize("version", ["1", "2", "3", "6", "10", "11", "12"])
async def test_a_room_of_each_version_takes_messages(process: Process, version: str) -> None:
    room_id = await process.make_room(version)
    ids = [await process.writer.send(room_id, message(f"m{i}")) for i in range(3)]
    room = await process.rooms.get(room_id)
    assert [e.pdu.event_id for e in room.timeline.since(room.position - 3)] == ids
    assert room.joined == {ALICE}
    process.rooms.drop(room_id)
    again = await process.rooms.get(room_id)
    assert again is not room
    assert again.state == room.state
    assert [e.pdu.raw for e in again.timeline.since(0)] == [e.pdu.raw for e in room.timeline.since(0)]


async def test_many_senders_chain_in_one_line(process: Process) -> None:
    room_id = await process.make_room()
    ids = await asyncio.gather(*(process.writer.send(room_id, message(f"m{i}")) for i in range(40)))
    rows = await EventStore(process.ground.database).newest(room_id, 0, 10**9, 100)
    assert len(set(ids)) == 40
    events = [orjson.loads(row.json) for row in reversed(rows)]
    before = [row.event_id for row in reversed(rows)]
    assert [e["prev_events"] for e in events[1:]] == [[event_id] for event_id in before[:-1]]
    assert process.ground.committer.batches < 40


async def test_state_is_one_row_a_change(process: Process) -> None:
    room_id = await process.make_room()
    for i in range(5):
        topic = Draft(sender=ALICE, type="m.room.topic", content={"topic": f"t{i}"}, state_key="")
        await asyncio.gather(process.writer.write(room_id, [topic]), process.writer.send(room_id, message("x")))
    store = StateStore(process.ground.database)
    history = await store.history(room_id, "m.room.topic", "")
    assert len(history) == 5
    assert all(a.to_pos == b.from_pos for a, b in itertools.pairwise(history))
    for interval in history:
        at = await store.entry_at(room_id, "m.room.topic", "", interval.from_pos)
        assert at == interval.event_id


async def test_two_changes_of_one_key_in_one_batch_leave_one_current(process: Process) -> None:
    room_id = await process.make_room()
    drafts = [Draft(sender=ALICE, type="m.room.topic", content={"topic": f"t{i}"}, state_key="") for i in range(8)]
    await asyncio.gather(*(process.writer.write(room_id, [d]) for d in drafts))
    history = await StateStore(process.ground.database).history(room_id, "m.room.topic", "")
    assert len(history) == 8
    assert all(a.to_pos == b.from_pos for a, b in itertools.pairwise(history))


async def test_who_is_not_in_the_room_cannot_send_and_harms_nobody(process: Process) -> None:
    room_id = await process.make_room()
    results = await asyncio.gather(
        process.writer.send(room_id, message("1")),
        process.writer.send(room_id, message("2", BOB)),
        process.writer.send(room_id, message("3")),
        return_exceptions=True,
    )
    assert isinstance(results[1], Forbidden)
    assert isinstance(results[0], str)
    assert isinstance(results[2], str)


async def test_a_transaction_is_done_once(process: Process) -> None:
    room_id = await process.make_room()
    once = Once(ALICE, "DEV", "t1", f"send/{room_id}")
    both = await asyncio.gather(*(process.writer.send(room_id, message("x"), once=once) for _ in range(3)))
    assert len(set(both)) == 1
    assert await process.writer.send(room_id, message("other"), once=once) == both[0]
    await process.writer.write(
        room_id, [Draft(sender=ALICE, type="m.room.member", content={"membership": "leave"}, state_key=ALICE)]
    )
    assert await process.writer.send(room_id, message("x"), once=once) == both[0]


async def test_a_redaction_removes_the_content_for_good(process: Process) -> None:
    room_id = await process.make_room()
    event_id = await process.writer.send(room_id, message("secret"))
    redaction = Draft(sender=ALICE, type="m.room.redaction", content={"reason": "oops"}, redacts=event_id)
    await process.writer.send(room_id, redaction)
    (row,) = await EventStore(process.ground.database).events([event_id])
    assert b"secret" not in row.json
    room = await process.rooms.get(room_id)
    shown = room.timeline.get(event_id)
    assert shown is not None
    assert b"secret" not in shown.stem
    assert b"redacted_because" in shown.extra


async def test_two_processes_write_to_one_room_at_once(postgres_url, tmp_path) -> None:
    config = make_config(tmp_path, postgres_url)
    one, two = await Process.start(config), await Process.start(config)
    room_id = await one.make_room()
    await one.writer.write(
        room_id, [Draft(sender=BOB, type="m.room.member", content={"membership": "join"}, state_key=BOB)]
    )

    async def talk(process: Process, sender: str) -> list[str]:
        return [await process.writer.send(room_id, message(f"{sender}{i}", sender)) for i in range(25)]

    sent = await asyncio.gather(*(talk(p, s) for p in (one, two) for s in (ALICE, BOB)))
    rows = await EventStore(one.ground.database).newest(room_id, 0, 10**9, 1000)
    assert {e for ids in sent for e in ids} <= {row.event_id for row in rows}
    events = [orjson.loads(row.json) for row in reversed(rows)]
    before = [row.event_id for row in reversed(rows)]
    assert [e["prev_events"] for e in events[1:]] == [[event_id] for event_id in before[:-1]]
    row = await RoomStore(one.ground.database).room(room_id)
    assert row is not None
    assert orjson.loads(row.extremities) == [rows[0].event_id]
    for process in (one, two):
        process.ground.feed.seen(row.version)
        await process.ground.feed.caught_up()
        room = await process.rooms.get(room_id)
        assert room.position == row.version
        assert room.joined == {ALICE, BOB}
        await process.stop()


async def test_equal_rooms_of_one_millisecond_are_different_rooms(process: Process) -> None:
    rooms = await asyncio.gather(*(process.make_room() for _ in range(10)))
    assert len(set(rooms)) == 10
    for room_id in rooms:
        await process.writer.send(room_id, message("x"))


async def test_equal_rooms_made_by_two_processes_are_different_rooms(postgres_url, tmp_path) -> None:
    class Stopped(SystemClock):
        def now_ms(self) -> int:
            return 1_700_000_000_000

    config = make_config(tmp_path, postgres_url)
    one, two = await Process.start(config), await Process.start(config)
    for process in (one, two):
        process.writer._clock = process.writer._builder._clock = Stopped()
    rooms = await asyncio.gather(*(process.make_room() for process in (one, two, one, two)))
    assert len(set(rooms)) == 4
    for process in (one, two):
        await process.stop()
