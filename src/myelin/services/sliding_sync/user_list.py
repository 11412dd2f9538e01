"""One user's rooms in the order of their last activity, whole and filtered, and what else of them changed."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Set
from itertools import islice
from typing import Any

import orjson

from myelin.services.sliding_sync.room_facts import UNKNOWN, Facts
from myelin.services.sliding_sync.room_filters import RoomFilters, Subject, passes
from myelin.services.sync.user_rooms import UserView
from myelin.services.userdata.tags import TAG
from myelin.services.userdata.user_account_data import GLOBAL, UserAccountData

DIRECT = "m.direct"
MAX_FILTERED = 16
"""Filters of one user whose rooms are kept apart; what more there are is sorted out anew each time."""

Ranges = tuple[tuple[int, int], ...]


class UserList:
    """What lists are windows on: rooms joined, invited to, knocked on, and those that the user was put out of."""

    __slots__ = ("data", "direct", "filtered", "known_since", "order", "touched", "until", "version", "view")

    def __init__(self, view: UserView, data: UserAccountData, until: int) -> None:
        self.view = view
        self.data = data
        self.until = until
        """Everything up to here is in it."""
        self.known_since = until
        """What happened before is not in `touched`."""
        self.order: OrderedDict[str, int] = OrderedDict()
        """Room IDs with the positions of their last activity, the latest last."""
        self.filtered: OrderedDict[RoomFilters, OrderedDict[str, None]] = OrderedDict()
        self.touched: OrderedDict[str, int] = OrderedDict()
        """Rooms of which something changed that is not an event: unread counts, or whether it is a direct chat."""
        self.direct = direct_rooms(data)
        self.version = 0
        """Another one whenever the order or a filter's rooms change."""

    def changed_since(self, since: int) -> Iterator[str]:
        """Rooms with activity after a position, the latest first."""
        for room_id in reversed(self.order):
            if self.order[room_id] <= since:
                return
            yield room_id

    def touched_since(self, since: int) -> Iterator[str]:
        """Rooms of which something else changed."""
        for room_id in reversed(self.touched):
            if self.touched[room_id] <= since:
                return
            yield room_id

    def touch(self, room_id: str, position: int) -> None:
        """Something changed that is not an event."""
        self.touched.pop(room_id, None)
        self.touched[room_id] = position

    def move(self, moved: Mapping[str, int | None], facts: Mapping[str, Facts], children: "Children") -> None:
        """Rooms had activity at positions; None: they are none of the user's any more."""
        self.version += 1
        for room_id, position in sorted(moved.items(), key=lambda entry: entry[1] or 0):
            self.order.pop(room_id, None)
            if position is not None:
                self.order[room_id] = position
            for filters, rooms in self.filtered.items():
                rooms.pop(room_id, None)
                if position is not None and self.is_in(room_id, filters, facts, children.get(filters, _NOWHERE)):
                    rooms[room_id] = None

    def special(self, filters: RoomFilters, facts: Mapping[str, Facts], in_spaces: Set[str]) -> Set[str]:
        """Rooms of which there is more to say than that the user is in them: to a filter all others are alike."""
        tagged = self.data.rooms_with(TAG) if filters.asks_for_tags else ()
        return (self.view.standings.keys() - self.view.joined).union(self.direct, facts, in_spaces, tagged)

    def is_in(self, room_id: str, filters: RoomFilters, facts: Mapping[str, Facts], in_spaces: Set[str]) -> bool:
        """Whether a room passes a filter."""
        return passes(filters, self._subject(room_id, facts), self.tags_of, in_spaces)

    def keep(self, filters: RoomFilters, rooms: OrderedDict[str, None]) -> None:
        """These are the rooms of a filter, which are kept up to date from now on."""
        self.filtered[filters] = rooms
        if len(self.filtered) > MAX_FILTERED:
            self.filtered.popitem(last=False)

    def drop_filters(self, doomed: Iterable[RoomFilters]) -> None:
        """What some filters depend on changed in another way than by a room's activity."""
        for filters in list(doomed):
            self.filtered.pop(filters, None)
            self.version += 1

    def tags_of(self, room_id: str) -> Set[str]:
        """The user's tags of a room."""
        entry = self.data.get(room_id, TAG)
        if entry is None:
            return _NOWHERE
        content = orjson.loads(entry.content)
        tags = content.get("tags") if isinstance(content, dict) else None
        return frozenset(tags) if isinstance(tags, dict) else _NOWHERE

    def _subject(self, room_id: str, facts: Mapping[str, Facts]) -> Subject:
        standing = self.view.standings.get(room_id)
        membership = "leave" if standing is None else standing.membership
        return Subject(room_id, membership, facts.get(room_id, UNKNOWN), room_id in self.direct)


Children = Mapping[RoomFilters, Set[str]]
_NOWHERE: frozenset[str] = frozenset()


def window(rooms: OrderedDict[str, Any], ranges: Ranges | None) -> Iterator[str]:
    """The rooms of some ranges, counted from the latest one."""
    if ranges is None:
        yield from reversed(rooms)
        return
    for first, last in ranges:
        yield from islice(reversed(rooms), first, last + 1)


def direct_rooms(data: UserAccountData) -> frozenset[str]:
    """Rooms that the user has as direct chats; clients may have stored anything."""
    entry = data.get(GLOBAL, DIRECT)
    content = orjson.loads(entry.content) if entry is not None else None
    if not isinstance(content, dict):
        return _NOWHERE
    lists = [rooms for rooms in content.values() if isinstance(rooms, list)]
    return frozenset(room_id for rooms in lists for room_id in rooms if isinstance(room_id, str))
