"""The list of published rooms, in memory: read once, then kept up to date by what the feed tells."""

import asyncio
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from typing import NamedTuple

import orjson

from myelin.bus.feed import Feed
from myelin.bus.news import RoomEvents, RoomPublished
from myelin.services.directory.public_room import SHOWN_TYPES, PublicRoom, shown_fields
from myelin.store.directory import PublishedStore

MEMBER = "m.room.member"

Place = tuple[int, str]
"""Where a room stands in the list: most members first, then by ID."""


class Listed(NamedTuple):
    """A room of the list, with what searches look at."""

    place: Place
    room: PublicRoom
    haystack: str


class PublishedRooms:
    """All published rooms in order."""

    def __init__(self, store: PublishedStore, feed: Feed) -> None:
        self._store = store
        self._rooms: dict[str, Listed] = {}
        self._order: list[Place] = []
        self._stale: set[str] = set()
        self._is_loaded = False
        self._refreshing = asyncio.Lock()
        feed.subscribe(RoomEvents, self._hear_events)
        feed.subscribe(RoomPublished, self._hear_published)

    def __len__(self) -> int:
        return len(self._rooms)

    async def refresh(self) -> None:
        """Take in what has changed since the list was last read."""
        if self._is_loaded and not self._stale:
            return
        async with self._refreshing:
            if not self._is_loaded:
                self._stale.update(await self._store.published())
                self._is_loaded = True
            stale, self._stale = self._stale, set()
            try:
                await self._read(stale)
            except BaseException:
                self._stale |= stale
                raise

    def after(self, place: Place | None) -> Iterator[Listed]:
        """The rooms after a place, or all, in order."""
        start = 0 if place is None else bisect_right(self._order, place)
        for index in range(start, len(self._order)):
            yield self._rooms[self._order[index][1]]

    def before(self, place: Place) -> Iterator[Listed]:
        """The rooms before a place, the nearest first."""
        for index in range(bisect_left(self._order, place) - 1, -1, -1):
            yield self._rooms[self._order[index][1]]

    async def _read(self, room_ids: set[str]) -> None:
        if not room_ids:
            return
        wanted = sorted(room_ids)
        contents: dict[str, dict[str, dict[str, object]]] = {room_id: {} for room_id in await self._store.of(wanted)}
        for state in await self._store.state_of(wanted, sorted(SHOWN_TYPES)):
            if state.room_id in contents:
                contents[state.room_id][state.type] = orjson.loads(state.json)["content"]
        counts = dict(await self._store.joined_members_of(wanted))
        for room_id in wanted:
            self._remove(room_id)
            if room_id in contents:
                self._add(PublicRoom(**shown_fields(room_id, contents[room_id], counts.get(room_id, 0))))

    def _add(self, room: PublicRoom) -> None:
        place = (-room.num_joined_members, room.room_id)
        haystack = "\n".join(filter(None, (room.name, room.topic, room.canonical_alias))).casefold()
        self._rooms[room.room_id] = Listed(place, room, haystack)
        insort(self._order, place)

    def _remove(self, room_id: str) -> None:
        listed = self._rooms.pop(room_id, None)
        if listed is not None:
            del self._order[bisect_left(self._order, listed.place)]

    def _hear_events(self, _position: int, news: RoomEvents) -> None:
        # While the list is read, any room may turn out to be on it.
        is_listed = news.room_id in self._rooms or self._refreshing.locked()
        if is_listed and news.state and news.room_id not in self._stale:
            for (event_type, state_key), _ in news.state:
                if event_type == MEMBER or (not state_key and event_type in SHOWN_TYPES):
                    self._stale.add(news.room_id)
                    return

    def _hear_published(self, _position: int, news: RoomPublished) -> None:
        if self._is_loaded or self._refreshing.locked():
            self._stale.add(news.room_id)
