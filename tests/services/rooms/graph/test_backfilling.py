"""Events older than all that is here: where they stand, the state at each of them, and who may see them."""

import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from myelin.matrix.events.pdu import Pdu, StateMap
from myelin.services.rooms.room import Room
from myelin.services.rooms.visibility import Visibility
from myelin.store.graph import GraphStore
from myelin.store.state import StateStore
from remote_room import ALICE, BOB, RemoteRoom
from room_house import House, room_house, user
from scripted_peer import Receiving, ScriptedPeer


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else ""
    async with room_house(tmp_path, url) as house:
        yield house


async def state_at(house: House, room: Room, position: int) -> StateMap:
    rows = await StateStore(house.ground.database).at(room.room_id, position)
    state = {(r.type, r.state_key): r.event_id for r in rows}
    assert len(state) == len(rows)
    return state


def long_room(choose: random.Random) -> tuple[RemoteRoom, list[Pdu]]:
    """A room with a line of events, in which the state changes often."""
    remote = RemoteRoom("old")
    events = list(remote.events.values())
    last = remote.begin()
    events = list(remote.events.values())
    for i in range(60):
        match choose.choice(["say", "topic", "join", "leave", "name"]):
            case "say":
                last = remote.say(str(i), last)
            case "join":
                last = remote.join(choose.choice([BOB, "@carol:hs3"]), last)
            case "leave":
                who = choose.choice([BOB, "@carol:hs3"])
                last = remote.try_add("m.room.member", {"membership": "leave"}, last, sender=who, state_key=who) or last
            case kind:
                last = remote.add(f"m.room.{kind}", {kind: str(i)}, last, state_key="")
        if last.event_id != events[-1].event_id:
            events.append(last)
    return remote, events


@pytest.mark.parametrize("seed", [1, 2])
async def test_the_state_is_right_at_every_old_event(house: House, seed: int) -> None:
    choose = random.Random(seed)
    remote, events = long_room(choose)
    receiving = Receiving(house, ScriptedPeer(remote))
    joined = await receiving.adopt(remote, events[-1])
    room = await receiving.rooms.get(remote.room_id)
    todo = list(events)
    while todo:
        size = choose.choice([3, 7, 20])
        batch, todo = todo[-size:], todo[:-size]
        before = remote.before[batch[0].event_id]
        assert await receiving.writer.backfill(remote.room_id, batch, before) == len(batch)
        assert await receiving.writer.backfill(remote.room_id, batch, before) == 0
        places = await receiving.graph.places(remote.room_id, [e.event_id for e in events])
        for event in events:
            place = places.get(event.event_id)
            if place is None:
                continue
            assert place.position < 0
            assert await state_at(house, room, place.position) == remote.after[event.event_id]
            assert await receiving.graph.state_before(room, event.event_id) == remote.before[event.event_id]
    assert await receiving.timeline(remote.room_id) == [e.event_id for e in (*events, joined)]
    assert await GraphStore(house.ground.database).missing(remote.room_id, 10) == []
    assert await receiving.graph.state_before(room, joined.event_id) == remote.before[joined.event_id]
    assert room.state == remote.after[joined.event_id]


async def test_peers_give_the_past_batch_by_batch(house: House) -> None:
    remote, events = long_room(random.Random(3))
    receiving = Receiving(house, ScriptedPeer(remote))
    joined = await receiving.adopt(remote, events[-1])
    receiving.peer.per_answer = 25
    batches = 0
    while await receiving.history.extend(remote.room_id):
        batches += 1
        room = await receiving.rooms.get(remote.room_id)
        await receiving.visibility.refresh(room)
    assert batches in (2, 3)
    assert await receiving.timeline(remote.room_id) == [e.event_id for e in (*events, joined)]
    asked = len(receiving.peer.asked)
    assert not await receiving.history.extend(remote.room_id)
    assert len(receiving.peer.asked) == asked


async def test_a_page_of_rejected_events_does_not_stop_history(house: House) -> None:
    remote = RemoteRoom("old")
    start = remote.begin()
    last = start
    bad = []
    for i in range(30):
        last = remote.add("m.room.topic", {"topic": str(i)}, last, state_key="", sender=BOB)
        remote.after[last.event_id] = remote.before[last.event_id]
        bad.append(last)
    receiving = Receiving(house, ScriptedPeer(remote))
    joined = await receiving.adopt(remote, last)
    receiving.peer.per_answer = 10
    for _ in range(10):
        await receiving.history.extend(remote.room_id)
        await receiving.visibility.refresh(await receiving.rooms.get(remote.room_id))
    shown = await receiving.timeline(remote.room_id)
    assert shown[-1] == joined.event_id
    assert start.event_id in shown
    assert not set(shown) & {b.event_id for b in bad}


async def test_who_may_see_the_past(house: House) -> None:
    remote = RemoteRoom("old")
    start = remote.begin()
    shared = remote.say("shared", start)
    closed = remote.add("m.room.history_visibility", {"history_visibility": "joined"}, shared, state_key="")
    hidden = remote.say("for who was there", closed)
    opened = remote.add("m.room.history_visibility", {"history_visibility": "shared"}, hidden, state_key="")
    said = remote.say("open again", opened)
    receiving = Receiving(house, ScriptedPeer(remote))
    joined = await receiving.adopt(remote, said)
    room = await receiving.rooms.get(remote.room_id)
    sight = await receiving.visibility.sight(room, user("me"))
    assert sight.sees_all
    events = list(remote.events.values())[:-1]
    await receiving.writer.backfill(remote.room_id, events, {})
    # What was known before says nothing of what came since.
    places = await receiving.graph.places(room.room_id, [hidden.event_id])
    assert places[hidden.event_id].position < sight.history.reach
    await receiving.visibility.refresh(room)
    sight = await receiving.visibility.sight(room, user("me"))
    assert isinstance(receiving.visibility, Visibility)
    places = await receiving.graph.places(room.room_id, [e.event_id for e in events])
    seen = {e.event_id for e in events if sight.may_see_at(places[e.event_id].position)}
    assert shared.event_id in seen
    assert said.event_id in seen
    assert hidden.event_id not in seen
    assert joined.event_id not in seen
    assert ALICE in room.joined
