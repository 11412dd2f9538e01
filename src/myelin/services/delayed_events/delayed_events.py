"""Events that are sent later, unless the client puts it off or calls it off (MSC4140).

They are rows: a restart sends what is due. Who holds a delay ID may act on it, so that a call's media server can say
that somebody has gone without being that user.
"""

import asyncio
from typing import Any, NamedTuple

import msgspec
import orjson

from myelin.config.sections.messaging import Rooms as RoomsConfig
from myelin.db.connection import Database
from myelin.matrix.errors import Forbidden, InvalidParam, MatrixError, NotFound
from myelin.services.accounts.tokens import new_secret
from myelin.services.delayed_events.due_events import LEASE_MS, DueEvents
from myelin.services.rooms.cache import Rooms
from myelin.store.delayed_events import DelayedEvent, DelayedEventStore
from myelin.telemetry.ambient import Clock, Randomness

PREFIX = "org.matrix.msc4140"
LOOK_EVERY_MS = 5_000
"""How soon a process notices what another one left behind."""


class Wish(NamedTuple):
    """What is to be sent, and where."""

    user_id: str
    device_id: str
    room_id: str
    type: str
    state_key: str | None
    content: dict[str, Any]
    txn_id: str | None = None
    sticky_ms: int | None = None


class Waiting(msgspec.Struct, frozen=True, omit_defaults=True):
    """A delayed event as its user sees it."""

    delay_id: str
    room_id: str
    type: str
    delay: int
    running_since: int
    content: dict[str, Any]
    state_key: str | None = None


class DelayedEvents:
    """Keeps delayed events, and sends those that are due."""

    def __init__(
        self,
        config: RoomsConfig,
        database: Database,
        rooms: Rooms,
        due: DueEvents,
        clock: Clock,
        randomness: Randomness,
    ) -> None:
        self._config = config
        self._store = DelayedEventStore(database)
        self._rooms = rooms
        self._due = due
        self._clock = clock
        self._randomness = randomness
        self._changed = asyncio.Event()
        self._sending = asyncio.Lock()

    async def add(self, wish: Wish, delay_ms: int) -> str:
        """Send an event after `delay_ms`; the delay's ID, the same for the same transaction.

        Raises InvalidParam, Forbidden, NotFound, or the MSC's errors for a delay too long and for too many of them.
        """
        self._check_delay(delay_ms)
        if "\0" in wish.type or "\0" in (wish.state_key or ""):
            raise InvalidParam("Event types and state keys hold no NUL")
        room = await self._rooms.get(wish.room_id)
        if room.membership(wish.user_id) != "join":
            raise Forbidden("You are not in this room")
        delay_id = new_secret(self._randomness)
        txn_key = delay_id if wish.txn_id is None else f"{wish.device_id}\n{wish.room_id}\n{wish.txn_id}"
        if known := await self._store.of_transaction(wish.user_id, txn_key):
            return known
        now = self._clock.now_ms()
        kept = await self._store.add(
            delay_id,
            wish.user_id,
            wish.device_id,
            txn_key,
            wish.room_id,
            wish.type,
            wish.state_key,
            orjson.dumps(wish.content).decode(),
            delay_ms,
            now,
            now + delay_ms,
            self._config.max_delayed_events_per_user,
            wish.sticky_ms,
        )
        self._changed.set()
        return delay_id if kept else await self._first(wish.user_id, txn_key)

    async def of_user(self, user_id: str) -> list[Waiting]:
        """What a user has waiting, the next first."""
        return [_shown(event) for event in await self._store.of_user(user_id)]

    async def restart(self, delay_id: str) -> None:
        """Let the delay begin again. Raises NotFound for one that is sent or cancelled."""
        now = self._clock.now_ms()
        if not await self._store.restart(_checked(delay_id), now, now - LEASE_MS):
            raise _gone()

    async def cancel(self, delay_id: str) -> None:
        """Never send it. Raises NotFound for one that is sent or cancelled."""
        if not await self._store.cancel(_checked(delay_id), self._clock.now_ms() - LEASE_MS):
            raise _gone()

    async def send(self, delay_id: str) -> None:
        """Send it now. Raises NotFound for one that is sent or cancelled, or what sending raises."""
        now = self._clock.now_ms()
        event = await self._store.take(_checked(delay_id), now, now - LEASE_MS)
        if event is None:
            raise _gone()
        await self._due.send(event)

    async def send_due(self) -> None:
        """Send everything whose delay is over; on return this process is in the middle of none of it."""
        async with self._sending:
            while True:
                now = self._clock.now_ms()
                event = await self._store.take_due(now, now - LEASE_MS)
                if event is None:
                    return
                await self._due.send_or_drop(event)

    async def run(self) -> None:
        """Send what is due, for ever."""
        while True:
            self._changed.clear()
            await self.send_due()
            next_time = await self._store.next_time()
            wait_ms = LOOK_EVERY_MS if next_time is None else next_time - self._clock.now_ms()
            try:
                async with asyncio.timeout(min(max(wait_ms, 1), LOOK_EVERY_MS) / 1000):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def _check_delay(self, delay_ms: int) -> None:
        if delay_ms < 1:
            raise InvalidParam("The delay is at least one millisecond")
        most = self._config.max_event_delay_ms
        if delay_ms > most:
            fields: dict[str, Any] = {f"{PREFIX}.errcode": "M_MAX_DELAY_EXCEEDED", f"{PREFIX}.max_delay": most}
            raise MatrixError(f"Events can be delayed by at most {most} milliseconds", **fields)

    async def _first(self, user_id: str, txn_key: str) -> str:
        """What the same transaction made at the same time. Raises M_UNKNOWN where the user has too many."""
        known = await self._store.of_transaction(user_id, txn_key)
        if known is None:
            fields: dict[str, Any] = {f"{PREFIX}.errcode": "M_MAX_DELAYED_EVENTS_EXCEEDED"}
            raise MatrixError("You have too many delayed events; cancel some, or let them be sent", **fields)
        return known


def _shown(event: DelayedEvent) -> Waiting:
    return Waiting(
        event.delay_id,
        event.room_id,
        event.type,
        event.delay_ms,
        event.running_since,
        orjson.loads(event.content),
        event.state_key,
    )


def _checked(delay_id: str) -> str:
    if "\0" in delay_id:
        raise _gone()
    return delay_id


def _gone() -> NotFound:
    return NotFound("There is no such delayed event: it is sent, cancelled, or being sent")
