"""How many unread messages a user has in all rooms: the number that a device shows beside the application's name."""

from collections import OrderedDict
from typing import NamedTuple

from myelin.bus.feed import Feed
from myelin.bus.news import AccountDataChanged
from myelin.db.connection import Database
from myelin.services.notifications.unread import Unread
from myelin.services.receipts.receipts import MAIN
from myelin.services.receipts.room_receipts import UNTHREADED
from myelin.services.rooms.cache import Rooms
from myelin.services.userdata.user_account_data import GLOBAL, PUSH_RULES
from myelin.store.unread_rooms import UnreadRoomStore

MAX_REMEMBERED = 20_000
MAX_LOOKED_THROUGH = 200
"""The last unread events of a room, among which missed calls are looked for."""


class Badge(NamedTuple):
    """What a user has not looked at, in one room or in all."""

    unread: int
    missed_calls: int


NOTHING = Badge(0, 0)


class Badges:
    """Counts by user and room. A room is counted again when something happened in it that may change the count."""

    def __init__(self, database: Database, feed: Feed, rooms: Rooms, unread: Unread) -> None:
        self._store = UnreadRoomStore(database)
        self._feed = feed
        self._rooms = rooms
        self._unread = unread
        self._counts: OrderedDict[str, dict[str, Badge]] = OrderedDict()
        feed.subscribe(AccountDataChanged, self._hear)

    async def of(self, user_id: str, room_id: str) -> Badge:
        """What a user has not looked at in all rooms, after something happened in a room."""
        counts = self._counts.get(user_id)
        if counts is None:
            counts = {}
            for room in await self._store.maybe_unread(user_id):
                counts[room.room_id] = await self._count(user_id, room.room_id, room.joined_at)
            self._remember(user_id, counts)
        joined_at = await self._store.joined_at(room_id, user_id)
        count = NOTHING if joined_at is None else await self._count(user_id, room_id, joined_at)
        if count.unread:
            counts[room_id] = count
        else:
            counts.pop(room_id, None)
        return Badge(sum(c.unread for c in counts.values()), sum(c.missed_calls for c in counts.values()))

    async def _count(self, user_id: str, room_id: str, joined_at: int) -> Badge:
        room = await self._rooms.find(room_id)
        if room is None:
            return NOTHING
        counts = await self._unread.of(room, user_id, joined_at, self._feed.position)
        unread = sum(counts.by_thread.values())
        if not unread:
            return NOTHING
        # Who answers a call, or hangs up, has read what is before.
        read = max(counts.read[UNTHREADED], counts.read.get(MAIN, counts.read[UNTHREADED]))
        return Badge(unread, await self._store.calls_after(room_id, user_id, read, MAX_LOOKED_THROUGH))

    def _remember(self, user_id: str, counts: dict[str, Badge]) -> None:
        self._counts[user_id] = counts
        if len(self._counts) > MAX_REMEMBERED:
            self._counts.popitem(last=False)

    def _hear(self, _position: int, news: AccountDataChanged) -> None:
        """With other rules other messages count."""
        if news.type == PUSH_RULES and news.room_id == GLOBAL:
            self._counts.pop(news.user_id, None)
