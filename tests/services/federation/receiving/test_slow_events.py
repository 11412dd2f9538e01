"""A sender is answered in time, whatever its events make us fetch; what is not done by then is not lost."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from myelin.services.federation.receiving.slow_events import MAX_BEHIND, SlowEvents
from myelin.services.federation.receiving.transactions import Transactions
from myelin.store.received_transactions import SlowEventStore
from polling import DEADLINE_S, until
from remote_room import RemoteRoom
from room_house import House, room_house
from scripted_peer import Receiving, ScriptedPeer


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else ""
    async with room_house(tmp_path, url) as house:
        yield house


class Slow:
    """A peer that does not answer what is asked about a gap until it is let."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.remote = RemoteRoom("one", "11")
        self.receiving = Receiving(house, ScriptedPeer(self.remote))
        self.may_answer = asyncio.Event()
        self.store = SlowEventStore(house.ground.database)
        self.events, self.transactions = self.start(within_s=0.01)
        self._post = self.receiving.peer.post
        peer: Any = self.receiving.peer
        peer.post = self._wait_and_post

    def start(self, *, within_s: float) -> tuple[SlowEvents, Transactions]:
        made, database = self.receiving, self.house.ground.database
        events = SlowEvents(made.receiver, database, within_s=within_s)
        peers: Any = made.peer
        return events, Transactions(events, made.edus, peers, database, self.house.ground.clock)

    async def _wait_and_post(self, *args: Any, **more: Any) -> Any:
        await self.may_answer.wait()
        return await self._post(*args, **more)

    async def until_done(self) -> None:
        async def is_empty() -> bool:
            return not await self.store.all()

        await until(is_empty)


@pytest.fixture
async def slow(house: House) -> AsyncIterator[Slow]:
    slow = Slow(house)
    yield slow
    await slow.events.close()


async def begin(slow: Slow) -> tuple[Any, Any, Any]:
    last = await slow.receiving.adopt(slow.remote, slow.remote.begin())
    between = slow.remote.say("between", last)
    return last, between, slow.remote.say("after", between)


async def test_the_sender_does_not_wait_for_what_must_be_fetched(slow: Slow) -> None:
    last, between, after = await begin(slow)
    assert await slow.transactions.receive("hs2", "t1", {"pdus": [after.raw]}) == {"pdus": {}}
    assert [row.txn_id for row in await slow.store.all()] == ["t1"]
    assert await slow.receiving.timeline(slow.remote.room_id) == [last.event_id]
    slow.may_answer.set()
    await slow.until_done()
    expected = [pdu.event_id for pdu in (last, between, after)]
    assert await slow.receiving.timeline(slow.remote.room_id) == expected


async def test_what_was_not_done_is_done_after_a_restart(slow: Slow) -> None:
    last, between, after = await begin(slow)
    await slow.transactions.receive("hs2", "t1", {"pdus": [after.raw]})
    await slow.events.close()
    assert await slow.receiving.timeline(slow.remote.room_id) == [last.event_id]
    slow.may_answer.set()
    again, _ = slow.start(within_s=5)
    await again.resume()
    expected = [pdu.event_id for pdu in (last, between, after)]
    assert await slow.receiving.timeline(slow.remote.room_id) == expected
    assert await slow.store.all() == []


async def test_no_server_falls_behind_without_end(slow: Slow) -> None:
    _, _, after = await begin(slow)
    for number in range(MAX_BEHIND):
        await slow.transactions.receive("hs2", str(number), {"pdus": [after.raw]})
    one_more = asyncio.create_task(slow.transactions.receive("hs2", "more", {"pdus": [after.raw]}))
    await slow.transactions.receive("hs3", "0", {"pdus": [after.raw]})
    assert not one_more.done()
    assert len(await slow.store.all()) == MAX_BEHIND + 1
    slow.may_answer.set()
    async with asyncio.timeout(DEADLINE_S):
        assert (await one_more)["pdus"] == {after.event_id: {}}
    await slow.until_done()
