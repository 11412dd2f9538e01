"""Simplified sliding sync: a window on a user's rooms, the most recently active first (MSC4186)."""

from typing import Any

import msgspec
import orjson

from myelin.bus.feed import Feed
from myelin.matrix.errors import InvalidParam
from myelin.services.presence.presence import Presence
from myelin.services.sliding_sync.connection import Connection
from myelin.services.sliding_sync.connections import Change, Connections
from myelin.services.sliding_sync.device_extensions import DeviceExtensions
from myelin.services.sliding_sync.plan import Plan, make_plan
from myelin.services.sliding_sync.pos import Pos, parse_pos
from myelin.services.sliding_sync.request import (
    MAX_NAME_CHARS,
    ExtensionsBody,
    SlidingSyncBody,
    Wanted,
    enabled_extensions,
    parse_wanted,
)
from myelin.services.sliding_sync.room_extensions import RoomExtensions, Stand
from myelin.services.sliding_sync.sticky_extension import StickyExtension, StickyReader
from myelin.services.sliding_sync.thread_extension import ThreadExtension
from myelin.services.sliding_sync.told_rooms import Reading, ToldRooms
from myelin.services.sliding_sync.user_list import UserList
from myelin.services.sliding_sync.user_lists import UserLists
from myelin.services.sync.waiting import Waiting
from myelin.services.typing.typing_users import TypingUsers
from myelin.services.userdata.ignored_users import IgnoredUsers
from myelin.telemetry.ambient import Clock

_NO_EXTENSIONS = ExtensionsBody()


class SlidingSyncRequest(msgspec.Struct, frozen=True):
    """What a client asks for."""

    user_id: str
    device_id: str
    pos: str
    """Empty: a new connection."""
    timeout_ms: int
    set_presence: str
    body: SlidingSyncBody

    @property
    def key(self) -> tuple[str, str, str]:
        """Whose connection it is about."""
        return self.user_id, self.device_id, self.body.conn_id or ""


class _Answer(msgspec.Struct):
    body: dict[str, Any]
    is_news: bool
    change: Change
    until: int
    typing: int


class SlidingSync:
    """Answers at once where there is something to tell, else when there is, or when the time is over."""

    def __init__(
        self,
        feed: Feed,
        connections: Connections,
        lists: UserLists,
        told_rooms: ToldRooms,
        room_extensions: RoomExtensions,
        device_extensions: DeviceExtensions,
        thread_extension: ThreadExtension,
        sticky_extension: StickyExtension,
        waiting: Waiting,
        presence: Presence,
        typing: TypingUsers,
        ignored: IgnoredUsers,
        clock: Clock,
        *,
        max_timeout_ms: int,
        max_limit: int,
    ) -> None:
        self._feed = feed
        self._connections = connections
        self._lists = lists
        self._told_rooms = told_rooms
        self._room_extensions = room_extensions
        self._device_extensions = device_extensions
        self._thread_extension = thread_extension
        self._sticky_extension = sticky_extension
        self._waiting = waiting
        self._presence = presence
        self._typing = typing
        self._ignored = ignored
        self._clock = clock
        self._max_timeout_ms = max_timeout_ms
        self._max_limit = max_limit

    async def sync(self, request: SlidingSyncRequest) -> bytes:
        """The answer as JSON. Raises UnknownPos for a connection that has expired, InvalidParam, BadJson."""
        body = request.body
        if len(body.conn_id or "") > MAX_NAME_CHARS:
            raise InvalidParam(f"conn_id may have no more than {MAX_NAME_CHARS} characters")
        pos = parse_pos(request.pos) if request.pos else None
        await self._presence.synced(request.user_id, request.device_id, request.set_presence)
        if pos is not None and pos.position > self._feed.position:
            # The token comes from a process that has heard more than this one.
            await self._feed.reach(pos.position)
        if pos is None:
            connection = self._connections.anew(request.user_id)
        else:
            connection = await self._connections.at(request.key, pos)
        turn = connection.begin(request.pos or None)
        wanted = self._wanted(connection, request)
        to_device = body.extensions.to_device if body.extensions is not None else None
        if to_device is not None and to_device.enabled:
            await self._device_extensions.delivered(request.user_id, request.device_id, to_device)
        answer = await self._next(request, connection, wanted, pos, turn)
        return await self._finish(request, connection, turn, answer)

    async def _next(
        self, request: SlidingSyncRequest, connection: Connection, wanted: Wanted, pos: Pos | None, turn: int
    ) -> _Answer:
        """The answer with news, or the last one before the time is over."""
        deadline = self._clock.monotonic() + min(request.timeout_ms, self._max_timeout_ms) / 1000
        with self._waiting.poll(request.user_id) as poll:
            while True:
                answer = await self._build(request, connection, wanted, pos)
                if answer.is_news or pos is None or connection.turn != turn:
                    return answer
                left = deadline - self._clock.monotonic()
                if left <= 0 or not await poll.news(left):
                    return answer

    async def _finish(self, request: SlidingSyncRequest, connection: Connection, turn: int, answer: _Answer) -> bytes:
        serial = await self._connections.keep(request.key, connection, turn, answer.change)
        if serial is None:
            # The client has asked again and does not look at this answer.
            connection.lazy.clear()
            return orjson.dumps({"pos": request.pos, "lists": {}, "rooms": {}, "extensions": {}})
        answer.body["pos"] = str(Pos(answer.until, answer.typing, connection.number, serial))
        if request.body.txn_id is not None:
            answer.body["txn_id"] = request.body.txn_id
        return orjson.dumps(answer.body)

    def _wanted(self, connection: Connection, request: SlidingSyncRequest) -> Wanted:
        held = connection.wanted
        if held is None or not held.is_of(request.body):
            held = connection.wanted = parse_wanted(request.body, request.user_id, self._max_limit)
        return held

    async def _build(
        self, request: SlidingSyncRequest, connection: Connection, wanted: Wanted, pos: Pos | None
    ) -> _Answer:
        typing = self._typing.serial
        mine = await self._lists.of(request.user_id)
        until = mine.until
        plan = await self._plan(connection, mine, wanted)
        since = None if pos is None else pos.position
        extensions = request.body.extensions or _NO_EXTENSIONS
        enabled = enabled_extensions(request.body.extensions)
        changed = await self._room_extensions.changed_rooms(mine.data, enabled, since, until)
        ignored = await self._ignored.of(request.user_id)
        told = await self._told_rooms.read(
            Reading(
                connection=connection,
                device_id=request.device_id,
                plan=plan,
                since=since,
                until=until,
                ignored=ignored,
                unseen=frozenset(changed),
            )
        )
        stand = Stand(
            user_id=request.user_id,
            plan=plan,
            since=since,
            until=until,
            typing_since=0 if pos is None else pos.typing,
            known=connection.extensions,
            caught_up=told.caught_up,
            shown=told.shown,
        )
        answers = await self._room_extensions.answer(extensions, mine.data, stand, changed)
        if (wanted_threads := extensions.thread_subscriptions) is not None and wanted_threads.enabled:
            after = since if "thread_subscriptions" in connection.extensions else None
            threads = await self._thread_extension.answer(request.user_id, wanted_threads, after, until)
            if threads:
                answers["io.element.msc4308.thread_subscriptions"] = threads
        is_news = bool(told.results or answers)
        if (wanted_sticky := extensions.sticky_events) is not None and wanted_sticky.enabled:
            reader = StickyReader(request.user_id, request.device_id, plan, until, ignored, told.shown)
            sticky = await self._sticky_extension.answer(reader, wanted_sticky)
            if sticky:
                answers["org.matrix.msc4354.sticky_events"] = sticky
                is_news |= "rooms" in sticky
        is_news |= await self._add_device(answers, request, mine, since, until)
        return _Answer(
            {"pos": "", "lists": plan.counts, "rooms": told.results, "extensions": answers},
            is_news,
            Change(told.sent, enabled, plan if told.is_settled else None),
            until,
            typing,
        )

    async def _add_device(
        self, answers: dict[str, Any], request: SlidingSyncRequest, mine: UserList, since: int | None, until: int
    ) -> bool:
        """Add what the device's extensions have; whether it is news."""
        extensions = request.body.extensions or _NO_EXTENSIONS
        is_news = False
        if not request.device_id:
            return False
        if extensions.to_device is not None and extensions.to_device.enabled:
            told = await self._device_extensions.messages(
                request.user_id, request.device_id, extensions.to_device, until
            )
            answers["to_device"] = told
            is_news = bool(told["events"])
        if extensions.e2ee is not None and extensions.e2ee.enabled:
            answers["e2ee"], has_changes = await self._device_extensions.keys(mine, request.device_id, since, until)
            is_news |= has_changes
        return is_news

    async def _plan(self, connection: Connection, mine: UserList, wanted: Wanted) -> Plan:
        held = connection.plan
        if held is None or held.wanted is not wanted or held.mine is not mine or held.version != mine.version:
            held = connection.plan = await make_plan(self._lists, mine, wanted)
        return held
