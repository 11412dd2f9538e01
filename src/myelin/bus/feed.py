"""The log as this process sees it: news in position order, from its own commits and from those of others.

A reader's `position` only moves on when everything before it has been told. Where the next batch does not begin right
after the last, another process wrote in between: the hole is read from the database before the batch is told.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar, cast

import structlog

from myelin.bus.news import News

_log = structlog.get_logger("myelin.bus")

N = TypeVar("N")
Batch = Sequence[tuple[int, News]]
"""News with the position of each."""
ReadLog = Callable[[int, int], Awaitable[Batch]]
"""The news from one position to another, both included, read from the database."""

ReadPosition = Callable[[], Awaitable[int]]
"""The last position that anybody committed, read from the database."""


class Feed:
    """Tells subscribers of changes, each exactly once, in order."""

    def __init__(self, position: int, read_log: ReadLog, read_position: ReadPosition) -> None:
        self.position = position
        """Everything up to here has been told."""
        self._read_log = read_log
        self._read_position = read_position
        self._subscribers: dict[type, list[Callable[[int, Any], None]]] = defaultdict(list)
        self._after: list[Callable[[int], None]] = []
        self._held: list[tuple[int, int, Batch]] = []
        self._filling: asyncio.Task[None] | None = None
        self.failures = 0
        """How often a subscriber raised, which is always our fault."""

    def subscribe(self, kind: type[N], hear: Callable[[int, N], None]) -> None:
        """Have `hear(position, news)` called for each news of a kind; it must be quick, and should not raise."""
        self._subscribers[kind].append(cast("Callable[[int, Any], None]", hear))

    def after_batch(self, hear: Callable[[int], None]) -> None:
        """Have `hear(position)` called when all news up to a position has been told."""
        self._after.append(hear)

    def announce(self, first: int, last: int, batch: Batch) -> None:
        """Positions `first` to `last` are committed, by this process or another."""
        if last <= self.position:
            return
        if self._filling is None and first == self.position + 1:
            self._tell(last, batch)
            return
        self._held.append((first, last, batch))
        self._fill()

    def whisper(self, news: News) -> None:
        """Tell of something that has no position in the log."""
        self._hear(self.position, news)
        self._end_batch()

    async def reach(self, position: int) -> None:
        """Wait until all up to a position has been told that somebody from outside claims the log has.

        The claim is not believed: where the log is not that far, it goes as far as the log.
        """
        if position > self.position:
            self.seen(min(position, await self._read_position()))
            await self.caught_up()

    def seen(self, position: int) -> None:
        """The log in the database has reached a position: read what is missing."""
        if position > self.position:
            self._held.append((position + 1, position, ()))
            self._fill()

    async def caught_up(self) -> None:
        """Wait until no hole is being read."""
        while self._filling is not None:
            await asyncio.shield(self._filling)

    def _fill(self) -> None:
        if self._filling is None:
            self._filling = asyncio.get_running_loop().create_task(self._fill_holes())
            self._filling.add_done_callback(_report)

    async def _fill_holes(self) -> None:
        try:
            while self._held:
                self._held.sort(key=lambda held: held[:2])
                first, last, batch = self._held[0]
                if first > self.position + 1:
                    hole = await self._read_log(self.position + 1, first - 1)
                    self._tell(first - 1, hole)
                self._held.pop(self._held.index((first, last, batch)))
                if last > self.position:
                    self._tell(last, batch)
        finally:
            self._filling = None

    def _tell(self, last: int, batch: Batch) -> None:
        """Tell a batch, but for what was told of it already when a hole was read up to somewhere within it."""
        told = self.position
        for position, news in batch:
            if position > told:
                self._hear(position, news)
        self.position = last
        self._end_batch()

    def _hear(self, position: int, news: News) -> None:
        """One subscriber that fails must not keep the news from the others, nor stop the log."""
        for hear in self._subscribers[type(news)]:
            try:
                hear(position, news)
            except Exception as error:  # noqa: BLE001  (whatever it was, the others must hear)
                self._failed(hear, error)

    def _end_batch(self) -> None:
        for after in self._after:
            try:
                after(self.position)
            except Exception as error:  # noqa: BLE001  (whatever it was, the others must hear)
                self._failed(after, error)

    def _failed(self, hear: Callable[..., None], error: Exception) -> None:
        self.failures += 1
        _log.error("a subscriber failed", subscriber=getattr(hear, "__qualname__", str(hear)), exc_info=error)


def _report(filling: "asyncio.Task[None]") -> None:
    error = None if filling.cancelled() else filling.exception()
    if error is not None:
        _log.warning("the log could not be read, and is read again later", error=str(error))
