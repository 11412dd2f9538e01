"""How a process hears of what others wrote when nobody wakes it: it looks where the log stands."""

import asyncio

from myelin.bus.feed import Feed
from myelin.db.committer import Committer
from myelin.db.connection import Database
from myelin.store.log import LogStore

POLL_S = 0.1
"""One small query: about 0.2 ms of CPU, ten times a second."""


class LogPoller:
    """Has the feed read what other processes wrote, at most `POLL_S` seconds late."""

    def __init__(self, database: Database, committer: Committer, feed: Feed) -> None:
        self._log = LogStore(database)
        self._committer = committer
        self._feed = feed

    async def run(self) -> None:
        """Look again and again."""
        while True:
            await asyncio.sleep(POLL_S)
            await self.look()

    async def look(self) -> None:
        """Tell the feed where the log stands.

        While a batch of our own is being written the feed will see for itself whether others wrote before it.
        """
        if self._committer.is_writing:
            return
        position = await self._log.position()
        if not self._committer.is_writing:
            self._feed.seen(position)
