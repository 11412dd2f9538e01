"""Rooms of other servers: taken over, grown by events in any order that the graph allows, held against an oracle."""

import asyncio
import random
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from matrix.state_resolution.naive import naive_resolve
from myelin.matrix.events.parse import parse_pdu
from myelin.matrix.events.pdu import Pdu
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.graph.graph_writer import GraphWriter
from myelin.services.rooms.graph.incoming import Incoming
from myelin.services.rooms.graph.placing import DUMMY
from myelin.services.rooms.graph.room_graph import RoomGraph
from myelin.store.room_check import RoomCheckStore
from myelin.store.rooms import RoomStore
from myelin.store.state import StateStore
from remote_room import ALICE, BOB, RemoteRoom
from room_house import House, room_house, user


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else ""
    async with room_house(tmp_path, url) as house:
        yield house


class Here:
    """This server's side of a remote room."""

    def __init__(self, house: House, remote: RemoteRoom) -> None:
        self.house = house
        self.remote = remote
        self.writer: GraphWriter = house.services[GraphWriter]
        self.graph: RoomGraph = house.services[RoomGraph]
        self.rooms: Rooms = house.services[Rooms]
        self.known: list[Pdu] = []

    async def adopt(self, *prevs: Pdu, name: str = "me") -> Pdu:
        event = self.remote.join(user(name), *prevs)
        state = self.remote.state_events(self.remote.before[event.event_id])
        chain = self.remote.auth_chain([event, *state])
        await self.writer.adopt(self.remote.version, event=event, state=state, auth_chain=chain)
        self.known.append(event)
        return event

    async def receive(self, *pdus: Pdu) -> None:
        await self.writer.receive(self.remote.room_id, [Incoming(pdu) for pdu in pdus])
        self.known += pdus
        await self._note_ties()

    async def _note_ties(self) -> None:
        """The events by which this server ties ends that pile up."""
        rows = await RoomCheckStore(self.house.ground.database).events(self.remote.room_id, 0, 10_000)
        for row in rows:
            if row.type == DUMMY and row.event_id not in self.remote.events:
                pdu = parse_pdu(orjson.loads(row.json), self.remote.version, event_id=row.event_id)
                self.remote.events[pdu.event_id] = pdu
                self.remote.before[pdu.event_id] = self.remote.after[pdu.event_id] = self.remote.meet(pdu.prev_events)
                self.known.append(pdu)

    async def check(self) -> None:
        """The room as it is in memory and in the database is what the oracle says."""
        room = await self.rooms.get(self.remote.room_id)
        ends = self.remote.ends(self.known)
        expected = self.remote.meet(sorted(ends))
        row = await RoomStore(self.house.ground.database).room(room.room_id)
        assert row is not None
        assert set(orjson.loads(row.extremities)) == ends
        assert row.version == room.position
        assert row.depth == max(self.remote.events[e].depth for e in ends)
        assert room.state == expected
        stored = await StateStore(self.house.ground.database).at(room.room_id, room.position)
        assert {(r.type, r.state_key): r.event_id for r in stored} == expected
        assert len(stored) == len(expected)
        joined = {k[1] for k, e in expected.items() if self.remote.events[e].content.get("membership") == "join"}
        assert room.joined == joined
        for pdu in self.known:
            assert await self.graph.state_before(room, pdu.event_id) == self.remote.before[pdu.event_id]
            assert await self.graph.state_after(room, [pdu.event_id]) == self.remote.after[pdu.event_id]


async def test_a_room_is_taken_over_and_grows(house: House) -> None:
    remote = RemoteRoom("one")
    here = Here(house, remote)
    last = await here.adopt(remote.begin())
    await here.check()
    said = [remote.say("one", last)]
    said.append(remote.say("two", said[-1]))
    said.append(remote.add("m.room.topic", {"topic": "t"}, said[-1], state_key=""))
    await here.receive(*said)
    await here.check()
    assert [e.pdu.event_id for e in (await here.rooms.get(remote.room_id)).timeline.since(0)] == [
        last.event_id,
        *(p.event_id for p in said),
    ]


async def test_branches_meet(house: House) -> None:
    remote = RemoteRoom("one")
    here = Here(house, remote)
    last = await here.adopt(remote.begin())
    left = remote.add("m.room.topic", {"topic": "left"}, last, state_key="")
    right = remote.add("m.room.topic", {"topic": "right"}, last, state_key="")
    name = remote.add("m.room.name", {"name": "right"}, right, state_key="")
    both = remote.say("both", left, name)
    for pdu in (left, right, name, both):
        await here.receive(pdu)
        await here.check()


async def test_our_own_event_ties_the_ends(house: House) -> None:
    remote = RemoteRoom("one")
    here = Here(house, remote)
    last = await here.adopt(remote.begin())
    ends = [remote.say(f"{i}", last) for i in range(5)]
    await here.receive(*ends)
    event_id = await house.say(remote.room_id, "me", "hello")
    (row,) = [await RoomStore(house.ground.database).room(remote.room_id)]
    assert row is not None
    assert orjson.loads(row.extremities) == [event_id]
    room = await here.rooms.get(remote.room_id)
    shown = room.timeline.get(event_id)
    assert shown is not None
    assert set(shown.pdu.prev_events) == {e.event_id for e in ends}
    assert await here.graph.state_before(room, event_id) == remote.meet(e.event_id for e in ends)


def grow(remote: RemoteRoom, start: Pdu, choose: random.Random, count: int) -> list[Pdu]:
    """Random events that the rules allow, on random others."""
    users = [ALICE, BOB, "@carol:hs3", "@dave:hs4"]
    made = [start]
    while len(made) <= count:
        prevs = choose.sample(made[-6:], k=min(len(made[-6:]), choose.choice([1, 1, 1, 1, 2, 3])))
        sender, other = choose.choice(users), choose.choice(users)
        kind = choose.choice(["join", "topic", "name", "power", "ban", "kick", "say", "say", "rules", "leave"])
        match kind:
            case "join":
                pdu = remote.try_add("m.room.member", {"membership": "join"}, *prevs, sender=sender, state_key=sender)
            case "leave":
                pdu = remote.try_add("m.room.member", {"membership": "leave"}, *prevs, sender=sender, state_key=sender)
            case "topic" | "name":
                pdu = remote.try_add(
                    f"m.room.{kind}", {kind: str(choose.random())}, *prevs, sender=sender, state_key=""
                )
            case "power":
                levels = {ALICE: 100, other: choose.choice([0, 50, 100])}
                pdu = remote.try_add("m.room.power_levels", {"users": levels}, *prevs, sender=sender, state_key="")
            case "ban" | "kick":
                membership = "ban" if kind == "ban" else "leave"
                content = {"membership": membership}
                pdu = remote.try_add("m.room.member", content, *prevs, sender=sender, state_key=other)
            case "rules":
                content = {"join_rule": choose.choice(["public", "invite"])}
                pdu = remote.try_add("m.room.join_rules", content, *prevs, sender=sender, state_key="")
            case _:
                pdu = remote.try_add("m.room.message", {"body": "x"}, *prevs, sender=sender)
        if pdu is not None:
            made.append(pdu)
    return made[1:]


def shuffled(pdus: list[Pdu], choose: random.Random, here: set[str]) -> list[Pdu]:
    """Any order in which an event comes after those that it hangs on."""
    done, todo, order = set(here), list(pdus), []
    while todo:
        ready = [p for p in todo if done.issuperset(p.prev_events)]
        pdu = choose.choice(ready)
        todo.remove(pdu)
        done.add(pdu.event_id)
        order.append(pdu)
    return order


async def play(house: House, seed: int, name: str, version: str, count: int = 25) -> None:
    choose = random.Random(seed)
    remote = RemoteRoom(name, version, oracle=naive_resolve)
    here = Here(house, remote)
    start = await here.adopt(remote.begin())
    pdus = shuffled(grow(remote, start, choose, count), choose, {start.event_id})
    while pdus:
        size = choose.choice([1, 1, 2, 5])
        await here.receive(*pdus[:size])
        pdus = pdus[size:]
        if choose.random() < 0.3:
            here.rooms.drop(remote.room_id)
        await here.check()


GRAPHS = [
    pytest.param(10, 25, id="few"),
    pytest.param(50, 60, id="many", marks=[pytest.mark.long, pytest.mark.slow]),
]
"""How many, and events of each."""


@pytest.mark.parametrize(("graphs", "events"), GRAPHS)
def test_random_graphs_have_the_state_that_the_oracle_says(graphs: int, events: int) -> None:
    """The oracle is another implementation of state resolution, as the spec's text reads."""

    @settings(max_examples=graphs, deadline=None, suppress_health_check=list(HealthCheck))
    @given(seed=st.integers(0, 2**32), version=st.sampled_from(["1", "2", "6", "10", "11", "12"]))
    def run(seed: int, version: str) -> None:
        async def one() -> None:
            with tempfile.TemporaryDirectory() as folder:
                async with room_house(Path(folder)) as house:
                    await play(house, seed, "random", version, events)

        asyncio.run(one())

    run()


async def test_random_graphs_on_both_engines(house: House) -> None:
    for seed in range(6):
        await play(house, seed, f"room{seed}", ["1", "6", "11", "12"][seed % 4])


async def test_ends_that_pile_up_are_tied_by_an_event_that_nobody_is_shown(house: House) -> None:
    remote = RemoteRoom("one")
    here = Here(house, remote)
    last = await here.adopt(remote.begin())
    topics = [remote.add("m.room.topic", {"topic": str(i)}, last, state_key="") for i in range(5)]
    ends = [*topics, *(remote.say(str(i), last) for i in range(30))]
    for end in ends:
        await here.receive(end)
        row = await RoomStore(house.ground.database).room(remote.room_id)
        assert row is not None
        assert len(orjson.loads(row.extremities)) <= 10
    room = await here.rooms.get(remote.room_id)
    shown = [e.pdu.event_id for e in room.timeline.since(0)]
    assert shown == [last.event_id, *(e.event_id for e in ends)]
    assert room.position == row.version
    event_id = await house.say(remote.room_id, "me", "hello")
    assert orjson.loads((await RoomStore(house.ground.database).room(remote.room_id)).extremities) == [event_id]


async def test_another_process_reads_back_the_same_room(postgres_url: str, tmp_path: Path) -> None:
    (tmp_path / "two").mkdir()
    async with room_house(tmp_path, postgres_url) as one, room_house(tmp_path / "two", postgres_url) as two:
        remote = RemoteRoom("one")
        here = Here(one, remote)
        choose = random.Random(7)
        start = await here.adopt(remote.begin())
        other: Rooms = two.services[Rooms]
        told: list[object] = []
        for pdu in grow(remote, start, choose, 40):
            await here.receive(pdu)
            mine = await here.rooms.get(remote.room_id)
            await other.catch_up(mine.position)
            theirs = await other.get(remote.room_id)
            assert theirs.state == mine.state
            assert theirs.joined == mine.joined
            assert theirs.position == mine.position
            told.append(theirs)
        assert [e.pdu.event_id for e in theirs.timeline.since(0)] == [e.pdu.event_id for e in mine.timeline.since(0)]
        assert len(set(map(id, told))) == 1


async def test_two_processes_take_in_the_same_events(postgres_url: str, tmp_path: Path) -> None:
    (tmp_path / "two").mkdir()
    async with room_house(tmp_path, postgres_url) as one, room_house(tmp_path / "two", postgres_url) as two:
        remote = RemoteRoom("one")
        here = Here(one, remote)
        there = Here(two, remote)
        choose = random.Random(8)
        start = await here.adopt(remote.begin())
        pdus = grow(remote, start, choose, 30)
        await there.rooms.catch_up((await here.rooms.get(remote.room_id)).position)
        async with asyncio.timeout(60):
            await asyncio.gather(here.receive(*pdus), there.receive(*pdus))
        position = max([(await h.rooms.get(remote.room_id)).position for h in (here, there)])
        await asyncio.gather(here.rooms.catch_up(position), there.rooms.catch_up(position))
        there.known = here.known
        await here.check()
        await there.check()
