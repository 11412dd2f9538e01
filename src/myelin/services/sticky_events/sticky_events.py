"""The events that are sticky now, in memory: they are few, and last for an hour at most (MSC4354)."""

import asyncio
from collections.abc import Iterable

from myelin.bus.feed import Feed
from myelin.bus.news import RoomEvents
from myelin.db.connection import Database
from myelin.matrix.sticky_events import STICKY, sticky_until
from myelin.store.sticky_events import StickyEvent, StickyEventStore
from myelin.telemetry.ambient import Clock

CLEANUP_INTERVAL_S = 600


class StickyEvents:
    """Sticky events by room."""

    def __init__(self, database: Database, feed: Feed, clock: Clock) -> None:
        self._store = StickyEventStore(database)
        self._clock = clock
        self._by_room: dict[str, dict[str, StickyEvent]] = {}
        self._is_loaded = False
        feed.subscribe(RoomEvents, self._hear)

    async def in_room(self, room_id: str, after: int, until: int) -> list[StickyEvent]:
        """What is sticky of the events of a room after one position, up to and including another, oldest first."""
        if not self._is_loaded:
            await self._load()
        held = self._by_room.get(room_id)
        return _chosen(held.values(), after, until, self._clock.now_ms()) if held else []

    async def rooms(self) -> list[str]:
        """Rooms that have had sticky events lately."""
        if not self._is_loaded:
            await self._load()
        return list(self._by_room)

    async def clean(self) -> None:
        """Forget what is sticky no more."""
        now = self._clock.now_ms()
        await self._store.delete_expired(now)
        for room_id, held in list(self._by_room.items()):
            for event in [event for event in held.values() if event.expires_ts <= now]:
                del held[event.event_id]
            if not held:
                del self._by_room[room_id]

    async def run(self) -> None:
        """Clean once an interval, for ever."""
        while True:
            await self.clean()
            await asyncio.sleep(CLEANUP_INTERVAL_S)

    async def _load(self) -> None:
        for event in await self._store.lasting(self._clock.now_ms()):
            self._by_room.setdefault(event.room_id, {}).setdefault(event.event_id, event)
        self._is_loaded = True

    def _hear(self, position: int, news: RoomEvents) -> None:
        for offset, pdu in enumerate(news.pdus):
            if STICKY in pdu.raw:
                until = sticky_until(pdu.raw, pdu.origin_server_ts, self._clock.now_ms())
                if until is not None:
                    event = StickyEvent(pdu.event_id, pdu.room_id, pdu.sender, position + offset, until)
                    self._by_room.setdefault(pdu.room_id, {})[pdu.event_id] = event
            elif pdu.redacts is not None and news.room_id in self._by_room:
                self._by_room[news.room_id].pop(pdu.redacts, None)


def _chosen(events: Iterable[StickyEvent], after: int, until: int, now: int) -> list[StickyEvent]:
    chosen = [event for event in events if after < event.position <= until and event.expires_ts > now]
    chosen.sort(key=lambda event: event.position)
    return chosen
