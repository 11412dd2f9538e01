"""Follow the log for all application services that this process serves."""

import asyncio
from collections.abc import Callable

import structlog

from myelin.bus.feed import Feed
from myelin.bus.news import News, RoomEvents
from myelin.db.lease import LeaseLost
from myelin.services.appservices.cursor import AppserviceCursor
from myelin.services.appservices.registration import Registration
from myelin.services.appservices.registry import Appservices
from myelin.services.appservices.serving import Serving
from myelin.services.appservices.sorting import Sorting

TAKE_EVERY_S = 5.0
"""How often a process looks whether somebody is served by nobody."""
GATHER_S = 0.02
"""News that come within this time are sorted together, after those who sent them are answered."""
MAX_HEARD = 20_000
"""More news than this at once are read back from the log."""
END_GRACE_S = 3.0
"""How long transactions that are under way may take to end when the server stops."""

_log = structlog.get_logger("myelin.appservices")

MakeCursor = Callable[[str], AppserviceCursor]
MakeServing = Callable[[Registration, AppserviceCursor, Callable[[], tuple[int, int]]], Serving]


class AppserviceLoop:
    """Each application service is served by one process; the others wait for its lease to end."""

    def __init__(
        self,
        feed: Feed,
        registry: Appservices,
        sorting: Sorting,
        make_cursor: MakeCursor,
        make_serving: MakeServing,
    ) -> None:
        self._feed = feed
        self._registry = registry
        self._sorting = sorting
        self._make_cursor = make_cursor
        self._make_serving = make_serving
        self._served: dict[str, tuple[Serving, asyncio.Task[None]]] = {}
        self._heard: list[tuple[int, News]] = []
        self._began_at = self._sorted_until = feed.position
        self._lost_until = 0
        self._news = asyncio.Event()
        self._look = asyncio.Event()
        registry.changed.append(self._look.set)
        for kind in sorting.kinds:
            feed.subscribe(kind, self._hear)

    async def run(self) -> None:
        """Serve whoever no other process serves, for ever."""
        sorting = asyncio.get_running_loop().create_task(self._sort())
        first_position = self._began_at
        try:
            while True:
                self._look.clear()
                await self._end_outdated()
                await self._take(first_position)
                first_position = self._feed.position
                try:
                    async with asyncio.timeout(TAKE_EVERY_S):
                        await self._look.wait()
                except TimeoutError:
                    continue
        finally:
            sorting.cancel()
            await self._end(list(self._served))

    async def _take(self, first_position: int) -> None:
        """Begin to serve whom nobody serves. Who has no URL is sent nothing.

        Who was never served before is served from `first_position` on: all that came since this process listens.
        """
        for registration in self._registry.all:
            name = registration.appservice_id
            if not registration.url or name in self._served:
                continue
            cursor = self._make_cursor(name)
            if await cursor.take(first_position):
                serving = self._make_serving(registration, cursor, self._progress)
                task = asyncio.get_running_loop().create_task(self._serve(serving))
                self._served[name] = serving, task

    async def _serve(self, serving: Serving) -> None:
        name = serving.registration.appservice_id
        try:
            await serving.run()
        except Exception as error:  # noqa: BLE001  (whatever it was, the others are served, and this one again later)
            causes = error.exceptions if isinstance(error, ExceptionGroup) else [error]
            if all(isinstance(cause, LeaseLost) for cause in causes):
                _log.warning("another process serves an application service now", appservice=name)
            else:
                _log.error("serving an application service failed", appservice=name, exc_info=error)
        finally:
            self._served.pop(name, None)

    async def _end_outdated(self) -> None:
        """End with those that were removed or changed."""
        await self._end(
            [
                name
                for name, (serving, _) in self._served.items()
                if self._registry.get(name) is not serving.registration
            ]
        )

    async def _end(self, names: list[str]) -> None:
        tasks = []
        for name in names:
            serving, task = self._served[name]
            serving.end()
            tasks.append(task)
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=END_GRACE_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _progress(self) -> tuple[int, int]:
        return self._feed.position, max(self._sorted_until, self._lost_until)

    def _hear(self, position: int, news: News) -> None:
        if not self._served:
            self._sorted_until = max(self._sorted_until, _last(position, news))
            return
        if len(self._heard) < MAX_HEARD:
            self._heard.append((position, news))
        else:
            self._overrun(_last(position, news))
        self._news.set()

    def _overrun(self, position: int) -> None:
        """Too much at once: everybody is served from the log, at least up to here."""
        self._lost_until = position
        for serving, _ in self._served.values():
            serving.is_behind = True
            serving.wake()

    async def _sort(self) -> None:
        """Sort what is heard, again and again; one piece of news that fails must not keep the others."""
        while True:
            await self._news.wait()
            await asyncio.sleep(GATHER_S)
            self._news.clear()
            heard, self._heard = self._heard, []
            for position, news in heard:
                await asyncio.sleep(0)  # a large room takes a while: requests go first
                await self._sort_one(position, news)
            self._settle(self._feed.position if not self._heard else self._sorted_until)

    async def _sort_one(self, position: int, news: News) -> None:
        # First of all: who is behind reads these news from the log, and must not think meanwhile that it caught up.
        self._sorted_until = max(self._sorted_until, last := _last(position, news))
        live = {name: serving for name, (serving, _) in self._served.items() if not serving.is_behind}
        try:
            await self._sorting.sort(position, news, {name: serving.backlog for name, serving in live.items()})
        except Exception as error:  # noqa: BLE001  (see _sort)
            _log.error("news could not be sorted for application services", position=position, exc_info=error)
        for serving in live.values():
            serving.backlog.until = max(serving.backlog.until, last)
            if serving.backlog:
                serving.wake()

    def _settle(self, position: int) -> None:
        """Everything up to a position was sorted."""
        self._sorted_until = max(self._sorted_until, position)
        for serving, _ in self._served.values():
            if not serving.is_behind:
                serving.backlog.until = max(serving.backlog.until, position)


def _last(position: int, news: News) -> int:
    """The last position that news take."""
    return news.last(position) if isinstance(news, RoomEvents) else position
