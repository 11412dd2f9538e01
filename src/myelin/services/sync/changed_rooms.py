"""Which of a user's rooms have new events."""

from collections.abc import Set

from myelin.bus.feed import Feed
from myelin.bus.news import RoomEvents
from myelin.bus.recent import Recent
from myelin.db.connection import Database
from myelin.store.rooms import RoomStore

MAX_RECENT = 50_000


class ChangedRooms:
    """Remembers where events were written lately; for readers who were away longer the database tells."""

    def __init__(self, database: Database, feed: Feed) -> None:
        self._store = RoomStore(database)
        self._recent: Recent[str] = Recent(feed.position, MAX_RECENT)
        feed.subscribe(RoomEvents, self._hear)

    async def among(self, room_ids: Set[str], since: int, until: int) -> set[str]:
        """Those of the rooms that have events after one position, up to and including another, or even newer ones."""
        recent = self._recent.between(since, until)
        if recent is not None:
            return set(recent).intersection(room_ids) if recent else set()
        return set(await self._store.written_after(sorted(room_ids), since))

    def only(self, since: int, until: int) -> str | None:
        """The one room that has all events after one position, up to and including another; None: not just one."""
        recent = self._recent.between(since, until)
        if not recent or (len(recent) > 1 and len(set(recent)) > 1):
            return None
        return recent[0]

    def _hear(self, position: int, news: RoomEvents) -> None:
        self._recent.add(news.last(position), news.room_id)
