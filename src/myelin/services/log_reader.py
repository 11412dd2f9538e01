"""The log read back from the database, for what another process wrote."""

from myelin.bus.feed import Batch
from myelin.bus.news import News
from myelin.db.connection import Database


class LogReader:
    """Turns rows of a range of positions into the news that their writer announced."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, first: int, last: int) -> Batch:
        """The news from `first` to `last`, both included, in order."""
        news: list[tuple[int, News]] = []
        return sorted(news, key=lambda item: item[0])
