"""Who is typing where: in the memory of this process only (spec: "Typing Notifications")."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

import orjson

from myelin.bus.feed import Feed
from myelin.bus.news import RoomEvents, TypingChanged
from myelin.matrix.errors import Forbidden
from myelin.services.typing.ports import JoinedRooms
from myelin.telemetry.ambient import Clock

MAX_TIMEOUT_MS = 120_000
DEFAULT_TIMEOUT_MS = 30_000
MIN_SWEEP_S = 0.05
MAX_REMEMBERED_ROOMS = 10_000
"""Rooms whose last change is remembered, so that clients hear that nobody types any more."""


TypingListener = Callable[[str, str, bool], None]
"""Called with user, room, and whether the user types."""


class _RoomTyping(NamedTuple):
    serial: int
    event: bytes


class TypingUsers:
    """Users who type, each until a deadline. Changes are numbered by this process alone, by its clock."""

    def __init__(self, feed: Feed, rooms: JoinedRooms, clock: Clock) -> None:
        self._feed = feed
        self._rooms = rooms
        self._clock = clock
        self._deadlines: dict[str, dict[str, float]] = {}
        self._changed: OrderedDict[str, _RoomTyping] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None
        self.listeners: list[TypingListener] = []
        """Called whenever a user says that they type, and when they do not any more."""
        self.serial = clock.now_ms()
        """The number of the newest change: about when it was, so that tokens stay in order when processes start."""
        feed.subscribe(RoomEvents, self._hear)

    async def start(self, user_id: str, room_id: str, timeout_ms: int = DEFAULT_TIMEOUT_MS) -> None:
        """The user types, until they say otherwise or the time is over. Raises Forbidden for who is not in the room."""
        await self._check_joined(user_id, room_id)
        users = self._deadlines.setdefault(room_id, {})
        is_new = user_id not in users
        users[user_id] = self._clock.monotonic() + min(max(timeout_ms, 0), MAX_TIMEOUT_MS) / 1000
        if is_new:
            self._change(room_id)
        for listener in self.listeners:
            listener(user_id, room_id, True)
        self._sweep_at(users[user_id])

    async def stop(self, user_id: str, room_id: str) -> None:
        """The user does not type any more. Raises Forbidden for who is not in the room."""
        await self._check_joined(user_id, room_id)
        self._remove(user_id, room_id)

    def changed_rooms(self, since: int) -> list[str]:
        """Rooms whose typing users changed after a serial."""
        if since >= self.serial:
            return []
        rooms = []
        for room_id in reversed(self._changed):
            if self._changed[room_id].serial <= since:
                break
            rooms.append(room_id)
        return rooms

    def serial_of(self, room_id: str) -> int:
        """The number of the room's newest change; 0 for a room where nobody typed lately."""
        changed = self._changed.get(room_id)
        return changed.serial if changed else 0

    def event(self, room_id: str) -> bytes | None:
        """The room's `m.typing` event, or None for a room where nobody typed lately."""
        changed = self._changed.get(room_id)
        return changed.event if changed else None

    def sweep(self) -> None:
        """Forget who has not typed for too long."""
        now = self._clock.monotonic()
        for room_id, users in list(self._deadlines.items()):
            for user_id in [user_id for user_id, deadline in users.items() if deadline <= now]:
                self._remove(user_id, room_id)
        self._timer = None
        if self._deadlines:
            self._sweep_at(min(deadline for users in self._deadlines.values() for deadline in users.values()))

    async def close(self) -> None:
        """Stop the timer."""
        self._deadlines.clear()
        if self._timer is not None:
            self._timer.cancel()

    async def _check_joined(self, user_id: str, room_id: str) -> None:
        if not await self._rooms.is_joined(room_id, user_id):
            raise Forbidden("You are not in this room")

    def _remove(self, user_id: str, room_id: str) -> None:
        users = self._deadlines.get(room_id)
        if users is not None and users.pop(user_id, None) is not None:
            if not users:
                del self._deadlines[room_id]
            self._change(room_id)
            for listener in self.listeners:
                listener(user_id, room_id, False)

    def _change(self, room_id: str) -> None:
        self.serial = max(self.serial + 1, self._clock.now_ms())
        content = {"user_ids": list(self._deadlines.get(room_id, ()))}
        event = b'{"type":"m.typing","content":' + orjson.dumps(content) + b"}"
        self._changed[room_id] = _RoomTyping(self.serial, event)
        self._changed.move_to_end(room_id)
        if len(self._changed) > MAX_REMEMBERED_ROOMS:
            self._changed.popitem(last=False)
        self._feed.whisper(TypingChanged(room_id))

    def _sweep_at(self, deadline: float) -> None:
        """Look again at a deadline, unless something earlier is waited for."""
        loop = asyncio.get_running_loop()
        delay = max(MIN_SWEEP_S, deadline - self._clock.monotonic())
        if self._timer is not None:
            if self._timer.when() <= loop.time() + delay:
                return
            self._timer.cancel()
        self._timer = loop.call_later(delay, self.sweep)

    def _hear(self, _position: int, news: RoomEvents) -> None:
        """Who leaves a room does not type in it any more."""
        users = self._deadlines.get(news.room_id)
        if users:
            for pdu in news.pdus:
                if pdu.state_key in users and pdu.type == "m.room.member" and pdu.content.get("membership") != "join":
                    self._remove(pdu.state_key, news.room_id)
