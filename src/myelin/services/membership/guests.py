"""Guests leave rooms that close to them (spec: client-server API, "Guest Access")."""

import asyncio

import structlog

from myelin.bus.feed import Feed
from myelin.bus.news import RoomEvents
from myelin.db.connection import Database
from myelin.services.membership.joining import GUEST_ACCESS
from myelin.services.membership.memberships import Memberships
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.members import content_of
from myelin.store.room_tasks import GuestStore

_log = structlog.get_logger("myelin.membership")


class Guests:
    """Holds guest access to what the rooms say."""

    def __init__(
        self, server_name: str, database: Database, feed: Feed, rooms: Rooms, memberships: Memberships
    ) -> None:
        self._suffix = f":{server_name}"
        self._store = GuestStore(database)
        self._rooms = rooms
        self._memberships = memberships
        self._closed: set[str] = set()
        """Rooms that others may have closed to guests."""
        self._has_closed = asyncio.Event()
        feed.subscribe(RoomEvents, self._hear)

    async def enforce(self, room_id: str) -> None:
        """Take guests of this server out of a room that does not let guests join any more."""
        room = await self._rooms.get(room_id)
        if content_of(room, GUEST_ACCESS).get("guest_access") == "can_join":
            return
        local = [user_id for user_id in room.joined if user_id.endswith(self._suffix)]
        for user_id in await self._store.guests(local):
            await self._memberships.leave(user_id, room_id, "Guests may no longer be in this room")

    async def run(self) -> None:
        """Do so in rooms that users of other servers close, for ever."""
        while True:
            await self._has_closed.wait()
            self._has_closed.clear()
            closed, self._closed = self._closed, set()
            for room_id in closed:
                try:
                    await self.enforce(room_id)
                except Exception as error:  # noqa: BLE001  (one room must not keep guests in all others)
                    _log.error("guests could not be taken out of a room", room_id=room_id, exc_info=error)

    def _hear(self, _position: int, news: RoomEvents) -> None:
        for key, event_id in news.state:
            if key == (GUEST_ACCESS, "") and not self._is_ours(news, event_id):
                self._closed.add(news.room_id)
                self._has_closed.set()

    def _is_ours(self, news: RoomEvents, event_id: str | None) -> bool:
        """Whether a user of this server sent the event: then it is done before the user is answered."""
        return any(pdu.event_id == event_id and pdu.sender.endswith(self._suffix) for pdu in news.pdus)
