"""The feed tells every change once, in order, wherever it comes from."""

import asyncio
from collections.abc import Sequence

import pytest

from myelin.bus.feed import Feed
from myelin.bus.news import DeviceListChanged, News, ProfileChanged, TypingChanged


def about(position: int) -> DeviceListChanged:
    return DeviceListChanged(f"@u{position}:x")


class Log:
    """The database: what is committed, by anybody; reading it can be held up."""

    def __init__(self) -> None:
        self.committed: dict[int, News] = {}
        self.reads: list[tuple[int, int]] = []
        self.free = asyncio.Event()
        self.free.set()
        self.fails = False

    async def read(self, first: int, last: int) -> Sequence[tuple[int, News]]:
        self.reads.append((first, last))
        await self.free.wait()
        if self.fails:
            raise OSError("no database")
        return [(p, self.committed[p]) for p in sorted(self.committed) if first <= p <= last]

    async def position(self) -> int:
        return max(self.committed, default=0)

    def commit(self, first: int, last: int) -> list[tuple[int, News]]:
        batch = [(p, about(p)) for p in range(first, last + 1)]
        self.committed.update(batch)
        return batch


class Told:
    """A subscriber."""

    def __init__(self, feed: Feed) -> None:
        self.positions: list[int] = []
        self.ends: list[int] = []
        feed.subscribe(DeviceListChanged, lambda position, _: self.positions.append(position))
        feed.after_batch(self.ends.append)


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def feed(log: Log) -> Feed:
    return Feed(10, log.read, log.position)


async def test_what_follows_is_told_at_once(log: Log, feed: Feed) -> None:
    told = Told(feed)
    feed.announce(11, 13, log.commit(11, 13))
    feed.announce(14, 14, log.commit(14, 14))
    assert told.positions == [11, 12, 13, 14]
    assert told.ends == [13, 14]
    assert feed.position == 14
    assert log.reads == []


async def test_only_who_asked_for_a_kind_hears_of_it(log: Log, feed: Feed) -> None:
    told = Told(feed)
    feed.announce(11, 12, [(11, ProfileChanged("@a:x", "displayname")), (12, about(12))])
    assert told.positions == [12]


async def test_positions_of_refused_writes_are_passed_over(log: Log, feed: Feed) -> None:
    told = Told(feed)
    feed.announce(11, 15, [(12, about(12))])
    feed.announce(16, 16, [(16, about(16))])
    assert told.positions == [12, 16]
    assert log.reads == []


async def test_a_hole_is_read_before_what_comes_after_it(log: Log, feed: Feed) -> None:
    told = Told(feed)
    log.commit(11, 12)
    feed.announce(13, 13, log.commit(13, 13))
    assert told.positions == []
    await feed.caught_up()
    assert told.positions == [11, 12, 13]
    assert log.reads == [(11, 12)]


async def test_what_is_announced_while_a_hole_is_read_waits_its_turn(log: Log, feed: Feed) -> None:
    told = Told(feed)
    log.free.clear()
    log.commit(11, 12)
    feed.announce(13, 13, log.commit(13, 13))
    await asyncio.sleep(0)
    log.commit(15, 15)
    feed.announce(16, 17, log.commit(16, 17))
    feed.announce(14, 14, log.commit(14, 14))
    log.free.set()
    await feed.caught_up()
    assert told.positions == list(range(11, 18))
    assert log.reads == [(11, 12), (15, 15)]
    assert feed.position == 17


async def test_what_was_seen_in_the_database_is_read(log: Log, feed: Feed) -> None:
    told = Told(feed)
    log.commit(11, 14)
    feed.seen(14)
    feed.seen(12)
    feed.seen(3)
    await feed.caught_up()
    assert told.positions == [11, 12, 13, 14]
    read = len(log.reads)
    feed.seen(14)
    await feed.caught_up()
    assert len(log.reads) == read


async def test_what_somebody_claims_is_reached_as_far_as_it_is_true(log: Log, feed: Feed) -> None:
    told = Told(feed)
    await feed.reach(10**18)
    assert feed.position == 10
    log.commit(11, 14)
    await feed.reach(12)
    assert told.positions == [11, 12]
    await feed.reach(10**18)
    await feed.reach(3)
    assert told.positions == [11, 12, 13, 14]
    assert feed.position == 14


async def test_a_batch_that_was_seen_before_it_is_announced_is_not_told_twice(log: Log, feed: Feed) -> None:
    told = Told(feed)
    batch = log.commit(11, 13)
    feed.seen(13)
    await feed.caught_up()
    feed.announce(11, 13, batch)
    await feed.caught_up()
    assert told.positions == [11, 12, 13]


async def test_a_batch_of_which_a_part_was_seen_is_told_from_there_on(log: Log, feed: Feed) -> None:
    told = Told(feed)
    batch = log.commit(11, 16)
    feed.seen(13)
    await feed.caught_up()
    feed.announce(11, 16, batch)
    await feed.caught_up()
    assert told.positions == [11, 12, 13, 14, 15, 16]
    assert feed.position == 16


async def test_a_whisper_reaches_its_kind_without_moving_the_position(log: Log, feed: Feed) -> None:
    heard: list[tuple[int, str]] = []
    told = Told(feed)
    feed.subscribe(TypingChanged, lambda position, news: heard.append((position, news.room_id)))
    feed.whisper(TypingChanged("!r:x"))
    assert heard == [(10, "!r:x")]
    assert told.ends == [10]
    assert feed.position == 10


async def test_a_subscriber_that_fails_harms_no_other(log: Log, feed: Feed) -> None:
    def fail(position: int, news: object) -> None:
        raise KeyError("ours")

    feed.subscribe(DeviceListChanged, fail)
    feed.subscribe(TypingChanged, fail)
    told = Told(feed)
    feed.announce(11, 12, log.commit(11, 12))
    feed.whisper(TypingChanged("!r:x"))
    assert told.positions == [11, 12]
    assert told.ends == [12, 12]
    assert feed.failures == 3


async def test_a_hole_that_cannot_be_read_is_read_later(log: Log, feed: Feed) -> None:
    told = Told(feed)
    log.fails = True
    log.commit(11, 11)
    feed.announce(12, 12, log.commit(12, 12))
    with pytest.raises(OSError, match="no database"):
        await feed.caught_up()
    assert told.positions == []
    log.fails = False
    feed.announce(13, 13, log.commit(13, 13))
    await feed.caught_up()
    assert told.positions == [11, 12, 13]


async def test_any_order_of_announcements_tells_the_log(log: Log, feed: Feed) -> None:
    told = Told(feed)
    log.commit(11, 100)
    for first in (41, 11, 91, 31, 71):
        feed.announce(first, first + 9, [(p, log.committed[p]) for p in range(first, first + 10)])
        feed.seen(first + 4)
        await asyncio.sleep(0)
    feed.seen(100)
    await feed.caught_up()
    assert told.positions == list(range(11, 101))
