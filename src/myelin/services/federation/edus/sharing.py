"""Who shares rooms with whom, across servers."""

from myelin.bus.feed import Feed
from myelin.bus.news import RoomEvents
from myelin.bus.remembered import Remembered
from myelin.db.connection import Database
from myelin.services.federation.receiving.receiver import may_take_part
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.room import MEMBER, Room
from myelin.store.destinations import DestinationStore
from myelin.store.state import StateStore

MAX_REMEMBERED_USERS = 20_000


class Sharing:
    """Answers from the rooms in memory, or from the database."""

    def __init__(self, server_name: str, database: Database, feed: Feed, rooms: Rooms) -> None:
        self._server_name = server_name
        self._state = StateStore(database)
        self._store = DestinationStore(database)
        self._rooms = rooms
        self._servers: Remembered[str, frozenset[str]] = Remembered(MAX_REMEMBERED_USERS)
        feed.subscribe(RoomEvents, self._hear)

    def is_local(self, user_id: str) -> bool:
        """Whether the user is one of this server's."""
        return user_id.partition(":")[2] == self._server_name

    def recall(self, room_id: str) -> Room | None:
        """A room, if it is in memory."""
        return self._rooms.peek(room_id)

    async def room_for(self, origin: str, room_id: str) -> Room | None:
        """A room that both servers are in, and whose server ACL lets the other one speak."""
        room = self._rooms.peek(room_id) or await self._rooms.find(room_id)
        if room is None or origin not in room.servers or self._server_name not in room.servers:
            return None
        return room if may_take_part(room, origin) else None

    async def servers_in(self, room_id: str) -> list[str]:
        """The other servers in a room."""
        room = self._rooms.peek(room_id) or await self._rooms.find(room_id)
        return [] if room is None else [name for name in room.servers if name != self._server_name]

    async def is_here(self, room_id: str) -> bool:
        """Whether one of our users is in a room."""
        room = await self._rooms.find(room_id)
        return room is not None and self._server_name in room.servers

    async def servers_of(self, user_id: str) -> frozenset[str]:
        """The other servers that share a room with a user."""
        return await self._servers.get(user_id, self._load)

    async def is_shared(self, user_id: str, before: int | None = None) -> bool:
        """Whether a user is in a room with one of ours, by a membership from before a position, if one is given."""
        for membership in await self._state.memberships_of(user_id):
            if membership.membership == "join" and (before is None or membership.from_pos < before):
                room = await self._rooms.find(membership.room_id)
                if room is not None and self._server_name in room.servers:
                    return True
        return False

    async def _load(self, user_id: str) -> frozenset[str]:
        return frozenset(await self._store.servers_sharing_with(user_id)) - {self._server_name}

    def _hear(self, _position: int, news: RoomEvents) -> None:
        for (kind, user_id), _ in news.state:
            if kind != MEMBER:
                continue
            if self.is_local(user_id):
                self._servers.forget(user_id)
            else:
                # Everybody in the room may have one server more, or one less.
                self._servers = Remembered(MAX_REMEMBERED_USERS)
