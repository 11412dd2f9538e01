"""Polls: who waits, and what wakes them."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from myelin.bus.news import (
    AccountDataChanged,
    DeviceListChanged,
    PresenceChanged,
    ReceiptMoved,
    SessionsEnded,
    TypingChanged,
)
from myelin.services.receipts.room_receipts import READ, READ_PRIVATE
from myelin.services.rooms.cache import Rooms
from myelin.services.sync.user_rooms import UserRooms
from myelin.services.sync.waiting import Poll, Waiting
from polling import DEADLINE_S
from room_house import House, room_house, user

LONG_S = 30.0


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A room of Alice and Bob, and Eve outside."""
    async with room_house(tmp_path) as house:
        await house.add_users("alice", "bob", "eve")
        yield house


@pytest.fixture
def waiting(house: House) -> Waiting:
    """Nobody waits yet."""
    users = UserRooms(house.ground.database, house.ground.feed)
    return Waiting(house.ground.feed, house.services[Rooms], users)


async def is_due(poll: Poll) -> bool:
    """Whether a poll has been woken; asking takes it back."""
    return await poll.news(0)


async def test_news_while_one_looks_are_not_slept_through(house: House, waiting: Waiting) -> None:
    with waiting.poll(user("bob")) as poll:
        house.ground.feed.whisper(AccountDataChanged(user("bob"), "", "a.b", b"{}"))
        assert await asyncio.wait_for(poll.news(LONG_S), DEADLINE_S)
        assert not await poll.news(0.01)


async def test_whoever_waits_is_woken_once_for_a_batch(house: House, waiting: Waiting) -> None:
    with waiting.poll(user("bob")) as poll:
        sleeping = asyncio.ensure_future(poll.news(LONG_S))
        await asyncio.sleep(0)
        for kind in ("a.b", "c.d"):
            house.ground.feed.whisper(AccountDataChanged(user("bob"), "", kind, b"{}"))
        assert await asyncio.wait_for(sleeping, DEADLINE_S)


async def test_a_cancelled_wait_is_cancelled_and_leaves_nothing_behind(house: House, waiting: Waiting) -> None:
    async def wait() -> bool:
        with waiting.poll(user("bob"), peeking="!room:hs1") as poll:
            return await poll.news(LONG_S)

    task = asyncio.ensure_future(wait())
    await asyncio.sleep(0)
    assert waiting.users == {user("bob")}
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert waiting.users == set()
    house.ground.feed.whisper(TypingChanged("!room:hs1"))


async def test_who_is_woken_by_what_happens_in_a_room(house: House, waiting: Waiting) -> None:
    room_id = await house.make_room("alice", "bob", join_rule="public")
    feed = house.ground.feed
    with waiting.poll(user("bob")) as bob, waiting.poll(user("eve")) as eve, waiting.poll(user("alice")) as alice:
        for in_memory in (True, False):
            if not in_memory:
                house.services[Rooms].drop(room_id)
            feed.whisper(TypingChanged(room_id))
            assert await is_due(bob)
            feed.whisper(ReceiptMoved(room_id, user("alice"), READ, "", "$x", 1, 1))
            assert await is_due(bob)
            if in_memory:
                assert not await is_due(eve)
            await is_due(eve)
            await is_due(alice)
            feed.whisper(ReceiptMoved(room_id, user("alice"), READ_PRIVATE, "", "$x", 1, 1))
            assert (await is_due(alice), await is_due(bob), await is_due(eve)) == (True, False, False)


async def test_who_left_hears_of_it(house: House, waiting: Waiting) -> None:
    room_id = await house.make_room("alice", "bob", join_rule="public")
    with waiting.poll(user("bob")) as bob:
        await house.set_membership(room_id, "bob", "leave")
        assert await is_due(bob)
        await house.say(room_id, "alice", "secret")
        assert not await is_due(bob)


async def test_who_shares_a_room_hears_of_devices_and_presence(house: House, waiting: Waiting) -> None:
    await house.make_room("alice", "bob", join_rule="public")
    feed = house.ground.feed
    with waiting.poll(user("bob")) as bob, waiting.poll(user("eve")) as eve:
        for news in (DeviceListChanged(user("alice")), PresenceChanged(user("alice"))):
            feed.whisper(news)
            assert await asyncio.wait_for(bob.news(LONG_S), DEADLINE_S)
            assert not await is_due(eve)
        feed.whisper(DeviceListChanged(user("alice"), only_for=user("eve")))
        assert (await is_due(bob), await is_due(eve)) == (False, True)


async def test_when_a_session_ends_its_user_does_not_wait_on(house: House, waiting: Waiting) -> None:
    with waiting.poll(user("bob")) as poll, waiting.poll(user("alice")) as other:
        sleeping = asyncio.ensure_future(poll.news(LONG_S))
        await asyncio.sleep(0)
        house.ground.feed.whisper(SessionsEnded(user("bob"), "PHONE"))
        assert await asyncio.wait_for(sleeping, DEADLINE_S) is False
        house.ground.feed.whisper(AccountDataChanged(user("bob"), "", "a.b", b"{}"))
        assert await asyncio.wait_for(poll.news(LONG_S), DEADLINE_S) is False
        assert not await is_due(other)


async def test_when_the_server_stops_nobody_waits_any_more(waiting: Waiting) -> None:
    stopping = asyncio.ensure_future(waiting.until_stopped())
    with waiting.poll(user("bob")) as poll:
        sleeping = asyncio.ensure_future(poll.news(LONG_S))
        await asyncio.sleep(0)
        stopping.cancel()
        assert await asyncio.wait_for(sleeping, DEADLINE_S) is False
        assert await asyncio.wait_for(poll.news(LONG_S), DEADLINE_S) is False
    with pytest.raises(asyncio.CancelledError):
        await stopping
