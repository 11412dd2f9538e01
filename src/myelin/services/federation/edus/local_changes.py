"""Typing, receipts and presence of our users, told to the servers that share rooms with them."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Sequence
from typing import Any, NamedTuple

import structlog

from myelin.bus.feed import Feed
from myelin.bus.news import PresenceChanged, ReceiptMoved, RoomEvents
from myelin.matrix.errors import MyelinError
from myelin.services.federation.edus.sharing import Sharing
from myelin.services.federation.sending.outgoing_queue import OutgoingQueue
from myelin.services.presence.presence import Presence
from myelin.services.receipts.room_receipts import READ
from myelin.services.rooms.room import MEMBER, Room
from myelin.services.typing.typing_users import TypingUsers
from myelin.telemetry.ambient import Clock

MAX_WAITING = 20_000
GATHER_S = 0.02
TYPING_AGAIN_S = 30.0
"""Who goes on typing is said to do so at most so often; others believe it for a minute."""
MAX_TYPISTS = 20_000
PRESENCE_AGAIN_S = 1_500.0
"""So often it is repeated who is online, since others forget after half an hour."""
NEWCOMER_AFTER_S = 0.5
"""A server that comes into a room is told who is online there once it has the room itself."""
TOLD_AT_ONCE = 100
"""Users of whom a server is told when it comes into a room."""
MAX_NEWCOMERS = 1_000

_log = structlog.get_logger("myelin.federation")


class _Edu(NamedTuple):
    """An EDU for one server, for those in a room, or without a room for those that share one with the user."""

    room_id: str
    user_id: str
    edu_type: str
    content: dict[str, Any]
    key: str
    server_name: str = ""


class LocalChanges:
    """Hears of what our users do, and hands it on as EDUs."""

    def __init__(
        self,
        feed: Feed,
        sharing: Sharing,
        queue: OutgoingQueue,
        typing: TypingUsers,
        presence: Presence,
        clock: Clock,
        *,
        tells_presence: bool,
    ) -> None:
        self._sharing = sharing
        self._queue = queue
        self._presence = presence
        self._clock = clock
        self._tells_presence = tells_presence
        self._waiting: deque[_Edu] = deque(maxlen=MAX_WAITING)
        self._changed: set[str] = set()
        self._newcomers: deque[tuple[float, Room, str]] = deque(maxlen=MAX_NEWCOMERS)
        self._typing_told: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._presence_told = clock.monotonic()
        self._news = asyncio.Event()
        typing.listeners.append(self._hear_typing)
        feed.subscribe(ReceiptMoved, self._hear_receipt)
        if tells_presence:
            feed.subscribe(PresenceChanged, self._hear_presence)
            feed.subscribe(RoomEvents, self._hear_joins)

    async def run(self) -> None:
        """Hand on what was heard, for ever."""
        while True:
            try:
                async with asyncio.timeout(60):
                    await self._news.wait()
            except TimeoutError:
                self._repeat_presence()
            await asyncio.sleep(GATHER_S)
            self._news.clear()
            await self._hand_on()

    async def _hand_on(self) -> None:
        changed, self._changed = self._changed, set()
        for user_id in changed:
            self._add_presence(user_id)
        self._add_newcomers()
        while self._waiting:
            edu = self._waiting.popleft()
            try:
                servers = await self._servers(edu)
                if servers:
                    await self._queue.put_edu(servers, edu.edu_type, edu.content, key=edu.key)
            except MyelinError as error:
                _log.warning("an EDU is not sent", type=edu.edu_type, reason=str(error))

    async def _servers(self, edu: _Edu) -> Sequence[str]:
        if edu.server_name:
            return [edu.server_name]
        if edu.room_id:
            return await self._sharing.servers_in(edu.room_id)
        return sorted(await self._sharing.servers_of(edu.user_id))

    def _add(self, edu: _Edu) -> None:
        self._waiting.append(edu)
        self._news.set()

    def _add_presence(self, user_id: str) -> None:
        told = self._told(user_id)
        if told is not None:
            self._add(_Edu("", user_id, "m.presence", {"push": [told]}, user_id))

    def _told(self, user_id: str) -> dict[str, Any] | None:
        content = self._presence.content(user_id)
        if content is None:
            return None
        told = {"last_active_ago": 0, **content, "user_id": user_id}
        if told["presence"] == "busy":
            # Between servers there are three states; a presence that they do not know others drop.
            told["presence"] = "unavailable"
        return told

    def _add_newcomers(self) -> None:
        """Servers that came into a room are told which of our users there are online."""
        while self._newcomers and self._newcomers[0][0] <= self._clock.monotonic():
            _, room, server_name = self._newcomers.popleft()
            online = [user_id for user_id in self._presence.online_here() if user_id in room.joined]
            told = [one for user_id in online[:TOLD_AT_ONCE] if (one := self._told(user_id)) is not None]
            if told:
                self._add(_Edu("", "", "m.presence", {"push": told}, f"{room.room_id} online", server_name))

    def _hear_joins(self, _position: int, news: RoomEvents) -> None:
        """Who comes into a room is new to servers there, and those there are new to a server that comes."""
        for pdu in news.pdus:
            if pdu.type != MEMBER or pdu.state_key is None or pdu.content.get("membership") != "join":
                continue
            if self._sharing.is_local(pdu.state_key):
                self._changed.add(pdu.state_key)
                self._news.set()
                continue
            room, server_name = self._sharing.recall(news.room_id), pdu.state_key.partition(":")[2]
            if room is not None and room.servers.get(server_name, 0) <= 1:
                self._newcomers.append((self._clock.monotonic() + NEWCOMER_AFTER_S, room, server_name))
                asyncio.get_running_loop().call_later(NEWCOMER_AFTER_S, self._news.set)

    def _repeat_presence(self) -> None:
        now = self._clock.monotonic()
        if self._tells_presence and now - self._presence_told >= PRESENCE_AGAIN_S:
            self._presence_told = now
            self._changed.update(self._presence.online_here())

    def _hear_presence(self, _position: int, news: PresenceChanged) -> None:
        if self._sharing.is_local(news.user_id):
            self._changed.add(news.user_id)
            self._news.set()

    def _hear_typing(self, user_id: str, room_id: str, is_typing: bool) -> None:
        if not self._sharing.is_local(user_id):
            return
        place, now = (user_id, room_id), self._clock.monotonic()
        told = self._typing_told.pop(place, None)
        if is_typing:
            is_known = told is not None and now - told < TYPING_AGAIN_S
            self._typing_told[place] = told if is_known and told is not None else now
            if len(self._typing_told) > MAX_TYPISTS:
                self._typing_told.popitem(last=False)
            if is_known:
                return
        content = {"room_id": room_id, "user_id": user_id, "typing": is_typing}
        self._add(_Edu(room_id, user_id, "m.typing", content, f"{room_id} {user_id}"))

    def _hear_receipt(self, _position: int, news: ReceiptMoved) -> None:
        """Receipts have a place in the log: the one process that sends hears of all of them."""
        if news.receipt_type != READ or not self._queue.is_leading or not self._sharing.is_local(news.user_id):
            return
        data: dict[str, Any] = {"ts": news.ts}
        if news.thread_id:
            data["thread_id"] = news.thread_id
        content = {news.room_id: {READ: {news.user_id: {"event_ids": [news.event_id], "data": data}}}}
        key = f"{news.room_id} {news.user_id} {news.thread_id}"
        self._add(_Edu(news.room_id, news.user_id, "m.receipt", content, key))
