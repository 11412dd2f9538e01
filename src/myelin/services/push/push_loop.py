"""Follow the log and queue notifications; the cost for an event that concerns nobody is a look into a set."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

import orjson
import structlog

from myelin.bus.feed import Feed
from myelin.bus.news import PushersChanged, ReceiptMoved, RoomEvents
from myelin.db.connection import Database, DatabaseError
from myelin.db.lease import RENEW_S, LeaseLost
from myelin.db.sql import Statement
from myelin.matrix.push_rules import Actions
from myelin.services.push.cursor import PushCursor
from myelin.services.push.deliveries import Deliveries
from myelin.services.push.push_users import PushUsers
from myelin.services.push.targets import Target, Targets
from myelin.store.pushers import Pusher, PusherStore, queue_push
from myelin.store.receipts import ReceiptStore
from myelin.telemetry.ambient import Clock

TAKE_EVERY_S = 5.0
"""How often a process that does not send looks whether it should."""
GATHER_S = 0.02
"""News that come within this time are decided on together, after those who sent them are answered."""
MAX_HEARD = 20_000
"""More news than this at once are read back from the database."""
READ_AT_ONCE = 500
MAX_QUEUED_AT_ONCE = 200

_log = structlog.get_logger("myelin.push")


class Heard(NamedTuple):
    """News of the log: an event, a receipt (of a user, without an event), or changed pushers (without a room)."""

    position: int
    room_id: str
    event_id: str
    user_id: str


class PushLoop:
    """One process at a time decides and sends; the others wait for its lease to end."""

    def __init__(
        self,
        feed: Feed,
        database: Database,
        cursor: PushCursor,
        users: PushUsers,
        targets: Targets,
        deliveries: Deliveries,
        clock: Clock,
    ) -> None:
        self._feed = feed
        self._store = PusherStore(database)
        self._receipts = ReceiptStore(database)
        self._cursor = cursor
        self._users = users
        self._targets = targets
        self._deliveries = deliveries
        self._clock = clock
        self._began_at = feed.position
        self._is_leading = False
        self._heard: list[Heard] = []
        self._is_overrun = False
        self._news = asyncio.Event()
        feed.subscribe(RoomEvents, self._hear_events)
        feed.subscribe(ReceiptMoved, self._hear_receipt)
        feed.subscribe(PushersChanged, self._hear_pushers)

    async def run(self) -> None:
        """Send notifications whenever no other process does, for ever."""
        while True:
            if await self._cursor.take(self._began_at):
                await self._lead()
            await asyncio.sleep(TAKE_EVERY_S)

    async def _lead(self) -> None:
        self._heard.clear()
        self._is_leading, begun = True, self._feed.position
        try:
            await self._users.load()
            await self._deliveries.begin()
            await self._read_back(begun)
            await self._follow()
        except LeaseLost:
            _log.warning("another process sends notifications now")
        finally:
            self._is_leading = False
            await self._deliveries.end()
            await self._cursor.release()

    async def _follow(self) -> None:
        loop = asyncio.get_running_loop()
        renew_at = loop.time() + RENEW_S
        while True:
            try:
                async with asyncio.timeout_at(renew_at):
                    await self._news.wait()
                    await asyncio.sleep(GATHER_S)
            except TimeoutError:
                await self._cursor.renew()
                renew_at = loop.time() + RENEW_S
            self._news.clear()
            await self._take_in()

    async def _take_in(self) -> None:
        heard, self._heard = self._heard, []
        until = self._feed.position
        if self._is_overrun:
            self._is_overrun = False
            await self._read_back(until)
        else:
            await self._decide(heard, until)

    async def _read_back(self, until: int) -> None:
        """Decide on what the log says from the cursor on."""
        while self._cursor.position < until:
            after = self._cursor.position
            events = await self._store.events_between(after, until, READ_AT_ONCE)
            last = events[-1].position if len(events) == READ_AT_ONCE else until
            heard = [Heard(*event, "") for event in events]
            heard += [
                Heard(row.position, row.room_id, "", row.user_id)
                for row in await self._receipts.between(after + 1, last)
                if row.user_id in self._users.users
            ]
            await self._decide(sorted(heard), last)

    async def _decide(self, heard: Sequence[Heard], until: int) -> None:
        """Queue what follows from news, and move the cursor on to a position."""
        statements: list[Statement] = []
        pushers: set[int] = set()
        for news in heard:
            if news.position <= self._cursor.position:
                continue
            await asyncio.sleep(0)  # a large room takes a while: requests go first
            targets = await self._targets_of(news)
            if targets:
                await self._queue(news, targets, statements, pushers)
            if len(statements) >= MAX_QUEUED_AT_ONCE:
                await self._write(statements, pushers, news.position)
                statements, pushers = [], set()
        if statements:
            await self._write(statements, pushers, until)
        self._cursor.position = max(self._cursor.position, until)

    async def _write(self, statements: list[Statement], pushers: set[int], position: int) -> None:
        await self._cursor.queue(statements, position)
        for pusher_id in pushers:
            self._deliveries.wake(pusher_id)

    async def _targets_of(self, news: Heard) -> list[Target]:
        if not news.room_id:
            await self._users.check(news.user_id)
            return []
        if not news.event_id:
            return [Target(news.user_id, None)]
        try:
            return await self._targets.of(news.room_id, news.event_id)
        except DatabaseError:
            raise
        except Exception as error:  # noqa: BLE001  (one event that cannot be decided on must not stop all others)
            _log.error("push rules failed", event_id=news.event_id, exc_info=error)
            return []

    async def _queue(
        self, news: Heard, targets: Sequence[Target], statements: list[Statement], queued: set[int]
    ) -> None:
        """Queue for each of the users' pushers; a count that is zero everywhere cannot have become less."""
        pushers: dict[str, list[Pusher]] = {target.user_id: [] for target in targets}
        for pusher in await self._store.of_users(list(pushers)):
            pushers[pusher.user_id].append(pusher)
        now_ms = self._clock.now_ms()
        for user_id, actions in targets:
            event_id = "" if actions is None else news.event_id
            tweaks = _tweaks(actions)
            for pusher in pushers[user_id]:
                pusher_id = pusher.pusher_id
                if actions is not None or self._may_show_count(pusher, queued):
                    statements.append(queue_push(pusher_id, news.position, news.room_id, event_id, tweaks, now_ms))
                    queued.add(pusher_id)

    def _may_show_count(self, pusher: Pusher, queued: set[int]) -> bool:
        pusher_id = pusher.pusher_id
        return pusher.badge != 0 or pusher_id in queued or self._deliveries.is_sending(pusher_id)

    def _hear_events(self, position: int, news: RoomEvents) -> None:
        if self._is_leading and self._users.may_concern(news):
            for offset, pdu in enumerate(news.pdus):
                self._note(Heard(position + offset, news.room_id, pdu.event_id, ""))

    def _hear_receipt(self, position: int, news: ReceiptMoved) -> None:
        if self._is_leading and news.user_id in self._users.users:
            self._note(Heard(position, news.room_id, "", news.user_id))

    def _hear_pushers(self, position: int, news: PushersChanged) -> None:
        if self._is_leading:
            self._users.add(news.user_id)
            self._note(Heard(position, "", "", news.user_id))

    def _note(self, heard: Heard) -> None:
        if len(self._heard) < MAX_HEARD:
            self._heard.append(heard)
        else:
            self._is_overrun = True
        self._news.set()


def _tweaks(actions: Actions | None) -> str:
    """Tweaks as JSON, those without a value left out."""
    if actions is None or not actions.tweaks:
        return "{}"
    return orjson.dumps({name: value for name, value in actions.tweaks.items() if value is not None}).decode()
