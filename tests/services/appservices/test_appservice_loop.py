"""News are lost on nobody, also not on an application service that catches up while they are sorted."""

import asyncio
from typing import Any

from myelin.bus.feed import Feed
from myelin.bus.news import PushersChanged, RoomEvents
from myelin.services.appservices.appservice_loop import AppserviceLoop
from myelin.services.appservices.registry import Appservices


class SlowSorting:
    """Sorting that waits until it is let."""

    kinds = (RoomEvents, PushersChanged)

    def __init__(self) -> None:
        self.begun, self.free = asyncio.Event(), asyncio.Event()

    async def sort(self, _position: int, _news: Any, _backlogs: Any) -> None:
        self.begun.set()
        await self.free.wait()


async def nothing(*_: int) -> Any:
    return ()


def loop_with(sorting: SlowSorting, feed: Feed) -> AppserviceLoop:
    unused: Any = None
    given: Any = sorting
    return AppserviceLoop(feed, Appservices(), given, unused, unused)


async def test_who_is_behind_reads_what_is_being_sorted() -> None:
    feed, sorting = Feed(5, nothing, nothing), SlowSorting()
    loop = loop_with(sorting, feed)
    pdus: Any = (object(), object(), object())
    task = asyncio.create_task(loop._sort_one(6, RoomEvents("!room:hs1", pdus)))
    await sorting.begun.wait()
    # Who has read up to here is behind still: of these three events it is given none.
    assert loop._progress()[1] == 8
    sorting.free.set()
    await task


async def test_news_that_come_before_anybody_is_served_are_read_too() -> None:
    feed, sorting = Feed(5, nothing, nothing), SlowSorting()
    loop = loop_with(sorting, feed)
    pdus: Any = (object(), object())
    feed.announce(6, 7, [(6, RoomEvents("!room:hs1", pdus))])
    assert loop._progress() == (7, 7)
