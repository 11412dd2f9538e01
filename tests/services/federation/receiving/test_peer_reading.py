"""What peers may read: nothing of rooms that they are not in, and of theirs what their users may see."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from myelin.db.committer import Write
from myelin.matrix.errors import Forbidden, MatrixError, NotFound
from myelin.store.erasure import put_erased
from remote_room import ALICE, BOB, RemoteRoom
from room_house import House, room_house
from scripted_peer import Receiving, ScriptedPeer


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else ""
    async with room_house(tmp_path, url) as house:
        yield house


async def begin(house: House) -> tuple[RemoteRoom, Receiving, list[Any]]:
    remote = RemoteRoom("one")
    receiving = Receiving(house, ScriptedPeer(remote))
    events = [await receiving.adopt(remote, remote.begin())]
    for i in range(10):
        events.append(remote.say(str(i), events[-1]))
    assert await receiving.send(*events[1:]) == {}
    return remote, receiving, events


async def test_peers_in_the_room_read_it(house: House) -> None:
    remote, receiving, events = await begin(house)
    reading, room_id = receiving.reading, remote.room_id
    assert (await reading.event("hs2", events[3].event_id))["pdus"] == [events[3].raw]
    state = await reading.state("hs2", room_id, events[3].event_id)
    assert {receiving_id(remote, raw) for raw in state["pdus"]} == set(remote.before[events[3].event_id].values())
    ids = await reading.state_ids("hs2", room_id, events[3].event_id)
    assert set(ids["pdu_ids"]) == set(remote.before[events[3].event_id].values())
    chain = {p.event_id for p in remote.auth_chain(remote.state_events(remote.before[events[3].event_id]))}
    assert set(ids["auth_chain_ids"]) == chain
    assert {receiving_id(remote, raw) for raw in state["auth_chain"]} == chain
    back = await reading.backfill("hs2", room_id, [events[5].event_id], 3)
    assert back["pdus"] == [e.raw for e in (events[5], events[4], events[3])]
    between = await reading.missing_events("hs2", room_id, [events[2].event_id], [events[6].event_id], 10, 0)
    assert between["events"] == [e.raw for e in events[3:6]]
    few = await reading.missing_events("hs2", room_id, [], [events[6].event_id], 2, 0)
    assert few["events"] == [e.raw for e in events[4:6]]
    deep = await reading.missing_events("hs2", room_id, [], [events[6].event_id], 10, events[5].depth)
    assert deep["events"] == [events[5].raw]
    auth = await reading.event_auth("hs2", room_id, events[3].event_id)
    assert {receiving_id(remote, raw) for raw in auth["auth_chain"]} == {
        p.event_id for p in remote.auth_chain([events[3]])
    }


def receiving_id(remote: RemoteRoom, raw: Any) -> str:
    return next(e.event_id for e in remote.events.values() if e.raw == raw)


async def test_others_read_nothing(house: House) -> None:
    remote, receiving, events = await begin(house)
    other = RemoteRoom("two", server="hs2")
    start = await receiving.adopt(other, other.begin())
    inside = other.join("@eve:hs5", start)
    said = other.say("here hs5 may read", inside, sender="@eve:hs5")
    assert await receiving.send(inside, said) == {}
    reading, room_id, event_id = receiving.reading, remote.room_id, events[3].event_id
    calls = [
        lambda s, r: reading.event(s, event_id),
        lambda s, r: reading.state(s, r, event_id),
        lambda s, r: reading.state_ids(s, r, event_id),
        lambda s, r: reading.event_auth(s, r, event_id),
    ]
    for server in ("hs5", "hs9", "hs1.evil"):
        for call in calls:
            with pytest.raises((Forbidden, NotFound)):
                await call(server, room_id)
            # Nor by naming a room that they are in.
            with pytest.raises((Forbidden, NotFound)):
                await call(server, other.room_id)
        with pytest.raises(MatrixError):
            await reading.backfill(server, room_id, [event_id], 10)
        with pytest.raises(MatrixError):
            await reading.missing_events(server, room_id, [], [event_id], 10, 0)
    assert (await reading.backfill("hs5", other.room_id, [event_id], 10))["pdus"] == []
    assert (await reading.missing_events("hs5", other.room_id, [], [event_id], 10, 0))["events"] == []
    assert (await reading.event("hs5", said.event_id))["pdus"] == [said.raw]


async def test_what_a_server_may_not_see_is_redacted(house: House) -> None:
    remote, receiving, events = await begin(house)
    closed = remote.add("m.room.history_visibility", {"history_visibility": "joined"}, events[-1], state_key="")
    hidden = remote.say("before hs5 came", closed)
    joined = remote.join("@eve:hs5", hidden)
    shown = remote.say("now hs5 is here", joined)
    assert await receiving.send(closed, hidden, joined, shown) == {}
    back = await receiving.reading.backfill("hs5", remote.room_id, [shown.event_id], 4)
    assert [raw["content"].get("body") for raw in back["pdus"]] == ["now hs5 is here", None, None, None]
    (only,) = (await receiving.reading.event("hs5", hidden.event_id))["pdus"]
    assert only["content"] == {}
    assert only["hashes"] == hidden.raw["hashes"]
    (whole,) = (await receiving.reading.event("hs2", hidden.event_id))["pdus"]
    assert whole == hidden.raw
    # What was open stays open.
    (early,) = (await receiving.reading.event("hs5", events[3].event_id))["pdus"]
    assert early == events[3].raw


async def test_a_banned_server_reads_nothing(house: House) -> None:
    remote, receiving, events = await begin(house)
    bob = remote.join("@carol:hs3", events[-1])
    acl = remote.add("m.room.server_acl", {"allow": ["*"], "deny": ["hs3"]}, bob, state_key="")
    assert await receiving.send(bob, acl) == {}
    with pytest.raises(Forbidden):
        await receiving.reading.backfill("hs3", remote.room_id, [events[2].event_id], 4)
    with pytest.raises(NotFound):
        await receiving.reading.event("hs3", events[2].event_id)


async def test_rejected_events_are_not_passed_on(house: House) -> None:
    remote, receiving, events = await begin(house)
    bad = remote.add("m.room.topic", {"topic": "no power"}, events[-1], state_key="", sender=BOB)
    assert bad.event_id in await receiving.send(bad)
    with pytest.raises(NotFound):
        await receiving.reading.event("hs2", bad.event_id)
    assert (await receiving.reading.backfill("hs2", remote.room_id, [bad.event_id], 4))["pdus"] == []


@pytest.mark.parametrize("name", ["", "$", "x" * 1000, "$\0", "!room:hs1", "$x:y"])
async def test_nonsense_is_answered(house: House, name: str) -> None:
    remote, receiving, events = await begin(house)
    reading = receiving.reading
    with pytest.raises(NotFound):
        await reading.event("hs2", name)
    with pytest.raises(NotFound):
        await reading.state_ids("hs2", remote.room_id, name)
    with pytest.raises(NotFound):
        await reading.event_auth("hs2", remote.room_id, name)
    with pytest.raises(Forbidden):
        await reading.backfill("hs2", name, [events[0].event_id], 4)
    assert (await reading.backfill("hs2", remote.room_id, [name] * 1000, 10**9))["pdus"] == []
    assert (await reading.missing_events("hs2", remote.room_id, [name], [name] * 1000, 10**9, -5))["events"] == []


async def test_of_erased_users_later_servers_get_what_is_left(house: House) -> None:
    remote, receiving, events = await begin(house)
    early = remote.join("@eve:hs5", events[-1])
    assert await receiving.send(early) == {}
    await house.ground.committer.commit(Write(lambda position: [put_erased(ALICE, position)], positions=1))
    late = remote.join("@eve:hs6", early)
    assert await receiving.send(late) == {}
    said = events[3]
    assert said.sender == ALICE
    (known,) = (await receiving.reading.event("hs5", said.event_id))["pdus"]
    assert known == said.raw
    (left,) = (await receiving.reading.event("hs6", said.event_id))["pdus"]
    assert left["content"] == {}
    assert left["hashes"] == said.raw["hashes"]
    # What the room is stays, whoever made it so.
    state = await receiving.reading.state("hs6", remote.room_id, late.event_id)
    rules = remote.events[remote.before[late.event_id]["m.room.join_rules", ""]]
    assert rules.sender == ALICE
    assert rules.raw in state["pdus"]
    (whole,) = (await receiving.reading.event("hs6", rules.event_id))["pdus"]
    assert whole == {key: value for key, value in rules.raw.items() if key != "unsigned"}
