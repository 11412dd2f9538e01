"""Who waits for news, and which news wakes whom."""

import asyncio
from collections.abc import Iterable, Set
from types import TracebackType

import structlog

from myelin.bus.feed import Feed
from myelin.bus.news import (
    AccountDataChanged,
    DeviceListChanged,
    KeyCountsChanged,
    PresenceChanged,
    ReceiptMoved,
    RoomEvents,
    SessionsEnded,
    ThreadSubscriptionChanged,
    ToDeviceSent,
    TypingChanged,
)
from myelin.services.receipts.room_receipts import READ_PRIVATE
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.room import MEMBER
from myelin.services.sync.user_rooms import UserRooms

_log = structlog.get_logger("myelin.sync")


class Poll:
    """A request that waits, for the time of a `with` block. News that come while it looks are not lost on it."""

    __slots__ = ("_future", "_is_due", "_is_over", "_waiting", "peeking", "user_id")

    def __init__(self, waiting: "Waiting", user_id: str, peeking: str | None) -> None:
        self.user_id = user_id
        self.peeking = peeking
        self._waiting = waiting
        self._is_due = False
        self._is_over = False
        self._future: asyncio.Future[None] | None = None

    async def news(self, timeout_s: float) -> bool:
        """Wait until there may be something new since this was last asked; False when the time is over."""
        if not self._is_due and not self._is_over and not self._waiting.is_over:
            loop = asyncio.get_running_loop()
            self._future = loop.create_future()
            timer = loop.call_later(timeout_s, _ring, self._future)
            try:
                await self._future
            finally:
                timer.cancel()
                self._future = None
        is_due, self._is_due = self._is_due, False
        return is_due

    def wake(self) -> None:
        """There may be something new."""
        if not self._is_over:
            self._is_due = True
            self.ring()

    def end(self) -> None:
        """Wait no more, and not again: who waits may have lost the right to be answered."""
        self._is_over, self._is_due = True, False
        self.ring()

    def ring(self) -> None:
        """Wait no longer."""
        if self._future is not None:
            _ring(self._future)

    def __enter__(self) -> "Poll":
        self._waiting.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._waiting.discard(self)


class Waiting:
    """Polls by user; a batch of news wakes each at most once, after all of it has been told."""

    def __init__(self, feed: Feed, rooms: Rooms, users: UserRooms) -> None:
        self._rooms = rooms
        self._users = users
        self._polls: dict[str, set[Poll]] = {}
        self._waiting: set[str] = set()
        self._peeking: dict[str, list[str]] = {}
        """Who waits for which room without being in it."""
        self._to_wake: set[str] = set()
        self._lookups: set[asyncio.Task[None]] = set()
        self.is_over = False
        """Nobody is to wait any more: the process stops."""
        feed.subscribe(RoomEvents, self._room_events)
        feed.subscribe(AccountDataChanged, lambda _, news: self._to_wake.add(news.user_id))
        feed.subscribe(ThreadSubscriptionChanged, lambda _, news: self._to_wake.add(news.user_id))
        feed.subscribe(KeyCountsChanged, lambda _, news: self._to_wake.add(news.user_id))
        feed.subscribe(ToDeviceSent, lambda _, news: self._to_wake.update(user for user, _ in news.recipients))
        feed.subscribe(ReceiptMoved, self._receipt_moved)
        feed.subscribe(TypingChanged, lambda _, news: self._wake_room(news.room_id))
        feed.subscribe(DeviceListChanged, self._devices_changed)
        feed.subscribe(PresenceChanged, lambda _, news: self._wake_sharing(news.user_id))
        feed.subscribe(SessionsEnded, self._sessions_ended)
        feed.after_batch(self._wake)

    def poll(self, user_id: str, *, peeking: str | None = None) -> Poll:
        """A user's wait, to be entered. `peeking` is a room that the user looks at without being in it."""
        return Poll(self, user_id, peeking)

    @property
    def users(self) -> Set[str]:
        """Who waits now."""
        return self._waiting

    async def until_stopped(self) -> None:
        """When the server stops, have everybody who waits answered at once."""
        try:
            await asyncio.Event().wait()
        finally:
            self.is_over = True
            for polls in list(self._polls.values()):
                for poll in list(polls):
                    poll.ring()

    def add(self, poll: Poll) -> None:
        """Wake this poll too."""
        self._polls.setdefault(poll.user_id, set()).add(poll)
        self._waiting.add(poll.user_id)
        if poll.peeking is not None:
            self._peeking.setdefault(poll.peeking, []).append(poll.user_id)

    def discard(self, poll: Poll) -> None:
        """Do not wake this poll any more."""
        polls = self._polls[poll.user_id]
        polls.discard(poll)
        if not polls:
            del self._polls[poll.user_id]
            self._waiting.discard(poll.user_id)
        if poll.peeking is not None:
            peeking = self._peeking[poll.peeking]
            peeking.remove(poll.user_id)
            if not peeking:
                del self._peeking[poll.peeking]

    def _room_events(self, _position: int, news: RoomEvents) -> None:
        self._wake_room(news.room_id)
        if news.state:
            self._to_wake.update(user_id for (kind, user_id), _ in news.state if kind == MEMBER)

    def _receipt_moved(self, _position: int, news: ReceiptMoved) -> None:
        if news.receipt_type == READ_PRIVATE:
            self._to_wake.add(news.user_id)
        else:
            self._wake_room(news.room_id)

    def _devices_changed(self, _position: int, news: DeviceListChanged) -> None:
        if news.only_for:
            self._to_wake.update((news.user_id, news.only_for))
        else:
            self._wake_sharing(news.user_id)

    def _sessions_ended(self, _position: int, news: SessionsEnded) -> None:
        """Have all devices of a user ask again: those that still may are answered."""
        for poll in self._polls.get(news.user_id, ()):
            poll.end()

    def _wake_room(self, room_id: str) -> None:
        if room_id in self._peeking:
            self._to_wake.update(self._peeking[room_id])
        room = self._rooms.peek(room_id)
        if room is not None:
            self._to_wake |= room.joined & self._waiting
        elif self._waiting:
            self._wake_members({room_id})

    def _wake_members(self, room_ids: Set[str]) -> None:
        """Wake who is in one of some rooms that are not in memory, or may be."""
        for user_id in self._waiting - self._to_wake:
            view = self._users.recall(user_id)
            if view is None or not view.joined.isdisjoint(room_ids):
                self._to_wake.add(user_id)

    def _wake_sharing(self, user_id: str) -> None:
        """Wake those who share a room with a user; the user's rooms may have to be read first."""
        self._to_wake.add(user_id)
        if not self._waiting:
            return
        view = self._users.recall(user_id)
        if view is not None:
            self._wake_rooms(view.joined)
            return
        task = asyncio.get_running_loop().create_task(self._look_up_and_wake(user_id))
        self._lookups.add(task)
        task.add_done_callback(self._looked_up)

    async def _look_up_and_wake(self, user_id: str) -> None:
        self._wake_rooms((await self._users.of(user_id)).joined)
        self._wake(0)

    def _looked_up(self, task: "asyncio.Task[None]") -> None:
        self._lookups.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _log.warning("who shares rooms with a user could not be read; they hear later", error=str(error))

    def _wake_rooms(self, room_ids: Iterable[str]) -> None:
        unknown = set()
        for room_id in room_ids:
            room = self._rooms.peek(room_id)
            if room is None:
                unknown.add(room_id)
            else:
                self._to_wake |= room.joined & self._waiting
        if unknown:
            self._wake_members(unknown)

    def _wake(self, _position: int) -> None:
        for user_id in self._to_wake & self._waiting:
            for poll in self._polls[user_id]:
                poll.wake()
        self._to_wake.clear()


def _ring(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
