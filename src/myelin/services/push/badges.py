"""How many unread messages a user has in all rooms: the number that a device shows beside the application's name."""

from collections import OrderedDict

from myelin.bus.feed import Feed
from myelin.bus.news import AccountDataChanged
from myelin.db.connection import Database
from myelin.services.notifications.unread import Unread
from myelin.services.rooms.cache import Rooms
from myelin.services.userdata.user_account_data import GLOBAL, PUSH_RULES
from myelin.store.unread_rooms import UnreadRoomStore

MAX_REMEMBERED = 20_000


class Badges:
    """Counts by user and room. A room is counted again when something happened in it that may change the count."""

    def __init__(self, database: Database, feed: Feed, rooms: Rooms, unread: Unread) -> None:
        self._store = UnreadRoomStore(database)
        self._feed = feed
        self._rooms = rooms
        self._unread = unread
        self._counts: OrderedDict[str, dict[str, int]] = OrderedDict()
        feed.subscribe(AccountDataChanged, self._hear)

    async def of(self, user_id: str, room_id: str) -> int:
        """A user's unread messages after something happened in a room."""
        counts = self._counts.get(user_id)
        if counts is None:
            counts = {}
            for room in await self._store.maybe_unread(user_id):
                counts[room.room_id] = await self._count(user_id, room.room_id, room.joined_at)
            self._remember(user_id, counts)
        joined_at = await self._store.joined_at(room_id, user_id)
        count = 0 if joined_at is None else await self._count(user_id, room_id, joined_at)
        if count:
            counts[room_id] = count
        else:
            counts.pop(room_id, None)
        return sum(counts.values())

    async def _count(self, user_id: str, room_id: str, joined_at: int) -> int:
        room = await self._rooms.find(room_id)
        if room is None:
            return 0
        counts = await self._unread.of(room, user_id, joined_at, self._feed.position)
        return sum(counts.by_thread.values())

    def _remember(self, user_id: str, counts: dict[str, int]) -> None:
        self._counts[user_id] = counts
        if len(self._counts) > MAX_REMEMBERED:
            self._counts.popitem(last=False)

    def _hear(self, _position: int, news: AccountDataChanged) -> None:
        """With other rules other messages count."""
        if news.type == PUSH_RULES and news.room_id == GLOBAL:
            self._counts.pop(news.user_id, None)
