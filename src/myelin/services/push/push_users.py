"""Who has a pusher, and in which rooms they are: what tells in a microsecond that an event concerns nobody."""

from myelin.bus.news import RoomEvents
from myelin.bus.remembered import Remembered
from myelin.db.connection import Database
from myelin.services.rooms.room import MEMBER, Room
from myelin.store.pushers import PusherStore

MAX_REMEMBERED_ROOMS = 50_000


class PushUsers:
    """Kept by the process that sends notifications, from when it begins to."""

    def __init__(self, database: Database) -> None:
        self._store = PusherStore(database)
        self._rooms: Remembered[str, frozenset[str]] = Remembered(MAX_REMEMBERED_ROOMS)
        self._is_loaded = False
        self.users: set[str] = set()
        """Everybody with a pusher, and perhaps some who had one until lately."""

    async def load(self) -> None:
        """Read everybody who has a pusher; until that is done, everything may concern somebody."""
        self._is_loaded = False
        self.users.clear()
        self.users.update(await self._store.users())
        self._forget_all()
        self._is_loaded = True

    def may_concern(self, news: RoomEvents) -> bool:
        """Whether new events may be for somebody who has a pusher."""
        if not self.users:
            return not self._is_loaded
        if news.state:
            for key, _ in news.state:
                if key[0] == MEMBER:
                    self._rooms.forget(news.room_id)
                    return True
        users = self._rooms.recall(news.room_id)
        return users is None or bool(users)

    def add(self, user_id: str) -> None:
        """The user's pushers changed."""
        self.users.add(user_id)
        self._forget_all()

    async def check(self, user_id: str) -> None:
        """Leave out a user who has no pusher any more."""
        if not await self._store.of_user(user_id):
            self.users.discard(user_id)
            self._forget_all()

    async def in_room(self, room_id: str, room: Room | None) -> frozenset[str]:
        """The joined members of a room who have a pusher; `room` if it is in memory."""
        held = self._rooms.recall(room_id)
        if held is not None:
            return held
        if room is not None:
            found = frozenset(room.joined & self.users)
            self._rooms.put(room_id, found)
            return found
        return await self._rooms.get(room_id, self._load)

    async def _load(self, room_id: str) -> frozenset[str]:
        return frozenset(await self._store.users_in(room_id))

    def _forget_all(self) -> None:
        self._rooms = Remembered(MAX_REMEMBERED_ROOMS)
