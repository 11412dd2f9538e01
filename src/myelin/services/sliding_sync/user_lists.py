"""Users' rooms by activity, in memory: brought up to date when they are asked for, by what happened since."""

from collections import OrderedDict
from collections.abc import Iterable
from operator import itemgetter
from typing import Any

from myelin.bus.feed import Feed
from myelin.bus.news import ReceiptMoved, RoomEvents, RoomForgotten
from myelin.bus.recent import Recent
from myelin.bus.weighed import Weighed
from myelin.db.connection import Database
from myelin.db.slices import sliced
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.room import Room
from myelin.services.sliding_sync.room_facts import CREATE, Facts, RoomFacts
from myelin.services.sliding_sync.room_filters import RoomFilters, passes_plain
from myelin.services.sliding_sync.user_list import DIRECT, UserList, direct_rooms
from myelin.services.sync.user_rooms import Standing, UserRooms
from myelin.services.userdata.account_data import AccountData
from myelin.services.userdata.tags import TAG
from myelin.services.userdata.user_account_data import GLOBAL
from myelin.store.sliding_sync import SlidingSyncStore

MAX_REMEMBERED = 500_000
"""Rooms in all users' lists together: about 150 bytes each, and as many once more for each filter."""
MAX_RECENT = 50_000
"""Activity remembered; a list that is further behind is made anew."""
PRESENT = frozenset({"join", "invite", "knock"})
SPACE_CHILD = "m.space.child"


class UserLists:
    """Lists by user."""

    def __init__(
        self, database: Database, feed: Feed, users: UserRooms, rooms: Rooms, account_data: AccountData
    ) -> None:
        self._store = SlidingSyncStore(database)
        self._feed = feed
        self._users = users
        self._rooms = rooms
        self._account_data = account_data
        self._facts = RoomFacts(database, feed)
        self._lists: Weighed[str, UserList] = Weighed(MAX_REMEMBERED, lambda mine: len(mine.order))
        self._recent: Recent[tuple[str, int]] = Recent(feed.position, MAX_RECENT)
        feed.subscribe(RoomEvents, self._hear)
        feed.subscribe(RoomForgotten, self._hear_forgotten)
        feed.subscribe(ReceiptMoved, self._hear_receipt)

    async def of(self, user_id: str) -> UserList:
        """A user's rooms as of now."""
        while True:
            mine = self._lists.recall(user_id) or await self._lists.get(user_id, self._load)
            # The views that a list stands on may have been forgotten and read again.
            if mine.view is not (self._users.recall(user_id) or await self._users.of(user_id)) or mine.data is not (
                self._account_data.recall(user_id) or await self._account_data.of(user_id)
            ):
                self._lists.forget(user_id)
                continue
            if mine.until == self._feed.position or await self._refresh(mine):
                return mine

    async def rooms_of(self, mine: UserList, filters: RoomFilters | None) -> OrderedDict[str, Any]:
        """The rooms that pass filters, the latest last."""
        if filters is None:
            return mine.order
        held = mine.filtered.get(filters)
        while held is None:
            version = mine.version
            sorted_out = await self._sort_out(mine, filters)
            if version == mine.version:
                held = sorted_out
                mine.keep(filters, held)
        return held

    async def _sort_out(self, mine: UserList, filters: RoomFilters) -> OrderedDict[str, None]:
        """Most rooms are alike to most filters: those are asked only once."""
        facts = await self._facts.of_all(mine.order, filters.kinds)
        in_spaces = await self._children(mine, filters)
        special, plain = mine.special(filters, facts, in_spaces), passes_plain(filters)
        found: OrderedDict[str, None] = OrderedDict()
        async for some in sliced(list(mine.order)):
            for room_id in some:
                if mine.is_in(room_id, filters, facts, in_spaces) if room_id in special else plain:
                    found[room_id] = None
        return found

    async def _load(self, user_id: str) -> UserList:
        view = await self._users.of(user_id)
        data = await self._account_data.of(user_id)
        position = self._feed.position
        mine = UserList(view, data, position)
        joined, standings = list(view.joined), view.standings
        places = {r: s.position for r, s in standings.items() if s.membership in PRESENT}
        absent = {
            r: s.position for r, s in standings.items() if s.membership not in PRESENT and r not in view.forgotten
        }
        with self._facts.reading() as changed:
            async for some in sliced(joined):
                rows = await self._store.last_positions(list(some))
                places.update((room_id, last) for room_id, last, _ in rows)
                typed = {room_id: kind for room_id, _, kind in rows if kind}
                self._facts.learn(CREATE, [row[0] for row in rows], typed, changed)
        async for some in sliced(list(absent)):
            removed = await self._store.removed_from(user_id, list(some), position)
            places.update((room_id, absent[room_id]) for room_id in removed)
        mine.order.update(sorted(places.items(), key=itemgetter(1)))
        return mine

    async def _refresh(self, mine: UserList) -> bool:
        """Bring a list up to date; False where it must be asked for again."""
        since, until = mine.until, self._feed.position
        recent = self._recent.between(since, until)
        if recent is None:
            self._lists.forget(mine.view.user_id)
            return False
        moved: dict[str, int | None] = {r: position for r, position in recent if r in mine.view.joined}
        gone: dict[str, Standing] = {}
        for room_id, standing in mine.view.changed_since(since):
            if standing.membership in PRESENT:
                moved[room_id] = max(moved.get(room_id) or 0, standing.position)
            else:
                gone[room_id] = standing
        if gone:
            removed = set(await self._store.removed_from(mine.view.user_id, list(gone), until))
            moved.update({r: s.position if r in removed else None for r, s in gone.items()})
        facts: dict[str, Facts] = {}
        children: dict[RoomFilters, set[str]] = {}
        if moved and mine.filtered:
            facts = await self._facts.of_all(moved, frozenset(kind for f in mine.filtered for kind in f.kinds))
            mine.drop_filters(f for f in mine.filtered if f.spaces and not f.spaces.isdisjoint(moved))
            children = {f: await self._children(mine, f) for f in list(mine.filtered) if f.spaces}
        if mine.until != since:
            return False
        self._take_account_data(mine, since, until)
        if moved:
            mine.move(moved, facts, children)
        mine.until = until
        return mine.until == self._feed.position

    @staticmethod
    def _take_account_data(mine: UserList, since: int, until: int) -> None:
        for entry in mine.data.changed(since, until):
            if entry.room_id == GLOBAL and entry.type == DIRECT:
                direct = direct_rooms(mine.data)
                for room_id in direct ^ mine.direct:
                    mine.touch(room_id, entry.position)
                mine.direct = direct
                mine.drop_filters(f for f in mine.filtered if f.is_dm is not None)
            elif entry.type == TAG:
                mine.drop_filters(f for f in mine.filtered if f.asks_for_tags)

    async def _children(self, mine: UserList, filters: RoomFilters) -> set[str]:
        """Rooms that are directly in one of the filters' spaces, as far as the user is in these."""
        found: set[str] = set()
        for space_id in filters.spaces or ():
            space = await self._rooms.find(space_id) if space_id in mine.view.joined else None
            if space is not None:
                found.update(_children_of(space))
        return found

    def _hear(self, position: int, news: RoomEvents) -> None:
        last = news.last(position)
        self._recent.add(last, (news.room_id, last))

    def _hear_forgotten(self, _position: int, news: RoomForgotten) -> None:
        self._lists.forget(news.user_id)

    def _hear_receipt(self, position: int, news: ReceiptMoved) -> None:
        mine = self._lists.recall(news.user_id)
        if mine is not None:
            mine.touch(news.room_id, position)


def _children_of(space: Room) -> Iterable[str]:
    for kind, state_key in space.state:
        if kind == SPACE_CHILD:
            child = space.current(kind, state_key)
            if child is not None and isinstance(child.content.get("via"), list):
                yield state_key
