"""Who waits for news, and which news wakes whom."""

import asyncio
from collections.abc import Iterable

from myelin.bus.feed import Feed
from myelin.bus.news import (
    AccountDataChanged,
    DeviceListChanged,
    KeyCountsChanged,
    PresenceChanged,
    ReceiptMoved,
    RoomEvents,
    ToDeviceSent,
    TypingChanged,
)
from myelin.services.rooms.cache import Rooms
from myelin.services.sync.user_rooms import MEMBER, UserRooms


class Waiting:
    """Long polls by user; a batch of news wakes each at most once, after all of it has been told."""

    def __init__(self, feed: Feed, rooms: Rooms, users: UserRooms) -> None:
        self._rooms = rooms
        self._users = users
        self._polls: dict[str, set[asyncio.Future[None]]] = {}
        self._waiting: set[str] = set()
        self._peeking: dict[str, list[str]] = {}
        """Who waits for which room without being in it."""
        self._to_wake: set[str] = set()
        self._lookups: set[asyncio.Task[None]] = set()
        self.told = 0
        """How often there was anything new, for anybody."""
        feed.subscribe(RoomEvents, self._room_events)
        feed.subscribe(AccountDataChanged, lambda _, news: self._to_wake.add(news.user_id))
        feed.subscribe(KeyCountsChanged, lambda _, news: self._to_wake.add(news.user_id))
        feed.subscribe(ToDeviceSent, lambda _, news: self._to_wake.update(user for user, _ in news.recipients))
        feed.subscribe(ReceiptMoved, lambda _, news: self._wake_room(news.room_id))
        feed.subscribe(TypingChanged, lambda _, news: self._wake_room(news.room_id))
        feed.subscribe(DeviceListChanged, lambda _, news: self._wake_sharing(news.user_id))
        feed.subscribe(PresenceChanged, lambda _, news: self._wake_sharing(news.user_id))
        feed.after_batch(self._wake)

    async def news(self, user_id: str, timeout_s: float, *, peeking: str | None = None) -> bool:
        """Wait until there may be something new for a user; False when the time is over.

        `peeking` is a room that the user looks at without being in it.
        """
        loop = asyncio.get_running_loop()
        poll: asyncio.Future[None] = loop.create_future()
        self._polls.setdefault(user_id, set()).add(poll)
        self._waiting.add(user_id)
        if peeking is not None:
            self._peeking.setdefault(peeking, []).append(user_id)
        timer = loop.call_later(timeout_s, _give_up, poll)
        try:
            await poll
        except asyncio.CancelledError:
            if not poll.cancelled():
                raise
            return False
        else:
            return True
        finally:
            timer.cancel()
            self._forget(user_id, poll)
            if peeking is not None:
                self._forget_peeking(user_id, peeking)

    def wake(self, user_id: str) -> None:
        """Have a user look again, whatever for."""
        for poll in self._polls.get(user_id, ()):
            if not poll.done():
                poll.set_result(None)

    def _forget(self, user_id: str, poll: "asyncio.Future[None]") -> None:
        polls = self._polls[user_id]
        polls.discard(poll)
        if not polls:
            del self._polls[user_id]
            self._waiting.discard(user_id)

    def _forget_peeking(self, user_id: str, room_id: str) -> None:
        peeking = self._peeking[room_id]
        peeking.remove(user_id)
        if not peeking:
            del self._peeking[room_id]

    def _room_events(self, _position: int, news: RoomEvents) -> None:
        self._wake_room(news.room_id)
        self._to_wake.update(user_id for (kind, user_id), _ in news.state if kind == MEMBER)

    def _wake_room(self, room_id: str) -> None:
        if room_id in self._peeking:
            self._to_wake.update(self._peeking[room_id])
        room = self._rooms.peek(room_id)
        if room is not None:
            self._to_wake |= room.joined & self._waiting
            return
        for user_id in self._waiting:
            view = self._users.recall(user_id)
            if view is None or room_id in view.joined:
                self._to_wake.add(user_id)

    def _wake_sharing(self, user_id: str) -> None:
        """Wake those who share a room with a user; the user's rooms may have to be read first."""
        self._to_wake.add(user_id)
        view = self._users.recall(user_id)
        if view is not None:
            self._wake_rooms(view.joined)
            return
        task = asyncio.get_running_loop().create_task(self._look_up_and_wake(user_id))
        self._lookups.add(task)
        task.add_done_callback(self._lookups.discard)

    async def _look_up_and_wake(self, user_id: str) -> None:
        self._wake_rooms((await self._users.of(user_id)).joined)
        self._wake(0)

    def _wake_rooms(self, room_ids: Iterable[str]) -> None:
        for room_id in room_ids:
            self._wake_room(room_id)

    def _wake(self, _position: int) -> None:
        self.told += 1
        for user_id in self._to_wake & self._waiting:
            self.wake(user_id)
        self._to_wake.clear()


def _give_up(poll: "asyncio.Future[None]") -> None:
    if not poll.done():
        poll.cancel()
