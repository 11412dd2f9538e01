"""Which room each user gets notices in, and that its invite cannot be rejected (spec: "Server Notices")."""

import asyncio
from contextlib import AbstractAsyncContextManager
from weakref import WeakValueDictionary

from myelin.db.connection import Database
from myelin.matrix.errors import MatrixError
from myelin.store.notice_rooms import NoticeRoomStore

INVITED = "invite"


class NoticeRooms:
    """Knows them; a LeaveCheck."""

    def __init__(self, database: Database) -> None:
        self._store = NoticeRoomStore(database)
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def of_user(self, user_id: str) -> str | None:
        """A user's room for notices."""
        return await self._store.of_user(user_id)

    def making(self, user_id: str) -> AbstractAsyncContextManager[None]:
        """Held while a user's room is made: this process makes one."""
        return self._locks.setdefault(user_id, asyncio.Lock())

    async def keep(self, user_id: str, room_id: str) -> str:
        """Make this the user's room; the one that another process has made since, if there is one."""
        await self._store.add(user_id, room_id)
        return await self._store.of_user(user_id) or room_id

    async def check_may_leave(self, user_id: str, room_id: str, membership: str) -> None:
        """Raises M_CANNOT_LEAVE_SERVER_NOTICE_ROOM for who would reject the invite."""
        if membership == INVITED and await self._store.of_user(user_id) == room_id:
            raise MatrixError(
                "The invite to the server's notices cannot be rejected", errcode="M_CANNOT_LEAVE_SERVER_NOTICE_ROOM"
            )
