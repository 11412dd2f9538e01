"""Which rooms a user is in, as of the last position that this process has been told of."""

import asyncio
from collections.abc import Iterable
from typing import NamedTuple

from myelin.bus.feed import Feed
from myelin.bus.news import RoomEvents, RoomForgotten
from myelin.bus.weighed import Weighed
from myelin.db.connection import Database
from myelin.db.slices import AT_ONCE
from myelin.services.rooms.room import MEMBER
from myelin.store.state import FIRST, StateStore

MAX_REMEMBERED = 1_000_000
"""Memberships, of all users together: about 400 bytes each."""


class Standing(NamedTuple):
    """A user's membership of a room."""

    membership: str
    event_id: str
    position: int
    """Of the membership event."""
    entered: int
    """The position of the event by which the present stay began, which a change of name does not end."""


class UserView:
    """All rooms that a user has, or had, to do with."""

    __slots__ = ("forgotten", "is_lent", "joined", "latest", "standings", "user_id")

    def __init__(self, user_id: str) -> None:
        self.user_id = user_id
        self.standings: dict[str, Standing] = {}
        """In the order of their positions."""
        self.joined: set[str] = set()
        self.forgotten: set[str] = set()
        self.latest = 0
        """The position of the newest change."""
        self.is_lent = False
        """Somebody works with this view, which must not change under their hands."""

    def set(self, room_id: str, membership: str, event_id: str, position: int) -> None:
        """The user's membership of a room changed."""
        before = self.standings.pop(room_id, None)
        stays = before is not None and before.membership == membership == "join"
        entered = before.entered if before is not None and stays else position
        self.standings[room_id] = Standing(membership, event_id, position, entered)
        self.latest = max(self.latest, position)
        if membership == "join":
            self.joined.add(room_id)
        else:
            self.joined.discard(room_id)
        if membership in ("join", "invite", "knock"):
            self.forgotten.discard(room_id)

    def unset(self, room_id: str) -> None:
        """The user has no membership of a room, or none that makes sense."""
        self.standings.pop(room_id, None)
        self.joined.discard(room_id)

    def changed_since(self, since: int) -> list[tuple[str, Standing]]:
        """Memberships that are newer than a position, the newest first."""
        found: list[tuple[str, Standing]] = []
        if self.latest > since:
            for room_id in reversed(self.standings):
                standing = self.standings[room_id]
                if standing.position <= since:
                    break
                found.append((room_id, standing))
        return found

    def copy(self) -> "UserView":
        """A view that says the same, for whoever wants to change it."""
        view = UserView(self.user_id)
        view.standings = dict(self.standings)
        view.joined = set(self.joined)
        view.forgotten = set(self.forgotten)
        view.latest = self.latest
        return view


class UserRooms:
    """Views by user, kept up to date by the feed."""

    def __init__(self, database: Database, feed: Feed) -> None:
        self._state = StateStore(database)
        self._feed = feed
        self._remembered: Weighed[str, UserView] = Weighed(MAX_REMEMBERED, lambda view: len(view.standings))
        feed.subscribe(RoomEvents, self._hear)
        feed.subscribe(RoomForgotten, self._hear_forgotten)

    def recall(self, user_id: str) -> UserView | None:
        """A user's view if it is in memory."""
        return self._remembered.recall(user_id)

    def lend(self, user_id: str) -> UserView | None:
        """A user's view if it is in memory; it stays as it is now, whatever happens afterwards."""
        view = self._remembered.recall(user_id)
        if view is not None:
            view.is_lent = True
        return view

    async def of(self, user_id: str) -> UserView:
        """A user's view."""
        return await self._remembered.get(user_id, self._load)

    async def _load(self, user_id: str) -> UserView:
        view = UserView(user_id)
        # As of what has been told: what is newer in the database will be told, and changes the view then.
        position = self._feed.position
        history = History(view)
        room_id, from_pos = "", FIRST
        while True:
            rows = await self._state.memberships_from(user_id, position, room_id, from_pos, AT_ONCE)
            history.add(rows)
            if len(rows) < AT_ONCE:
                break
            room_id, from_pos = rows[-1][0], rows[-1][3]
            # Those of whoever is in thousands of rooms are read in slices: nobody else is to wait for all of them.
            await asyncio.sleep(0)
        history.end(position)
        view.forgotten.update(await self._state.forgotten(user_id))
        return view

    def _changeable(self, user_id: str) -> UserView | None:
        """A user's view, a copy of it if it is lent."""
        view = self._remembered.recall(user_id)
        if view is None:
            # It may be being read right now, from before this change.
            self._remembered.forget(user_id)
        elif view.is_lent:
            view = view.copy()
            self._remembered.put(user_id, view)
        return view

    def _hear(self, position: int, news: RoomEvents) -> None:
        for (event_type, user_id), event_id in news.state:
            if event_type != MEMBER:
                continue
            view = self._changeable(user_id)
            if view is None:
                continue
            found = next(((i, p) for i, p in enumerate(news.pdus) if p.event_id == event_id), None)
            membership = found[1].content.get("membership") if found is not None else None
            if found is None or event_id is None or not isinstance(membership, str):
                self._remembered.forget(user_id)
            else:
                view.set(news.room_id, membership, event_id, position + found[0])

    def _hear_forgotten(self, _position: int, news: RoomForgotten) -> None:
        view = self._changeable(news.user_id)
        if view is not None:
            view.forgotten.add(news.room_id)


class History:
    """A user's memberships as they are put into a view, by room and oldest first: of each room the last one stays."""

    def __init__(self, view: UserView) -> None:
        self._view = view
        self._ended: dict[str, int] = {}

    def add(self, rows: Iterable[tuple[str, str | None, str, int, int]]) -> None:
        """Take in what comes next."""
        view, ended = self._view, self._ended
        standings, joined = view.standings, view.joined
        for room_id, membership, event_id, from_pos, to_pos in rows:
            if room_id not in ended and membership is not None:
                # Of most rooms there is nothing else: of the first row nothing has to be asked.
                standings[room_id] = Standing(membership, event_id, from_pos, from_pos)
                if membership == "join":
                    joined.add(room_id)
                ended[room_id] = to_pos
                continue
            if ended.get(room_id, from_pos) != from_pos:
                view.unset(room_id)
            if membership is None:
                view.unset(room_id)
            else:
                view.set(room_id, membership, event_id, from_pos)
            ended[room_id] = to_pos

    def end(self, position: int) -> None:
        """That was all there is up to a position."""
        view = self._view
        for room_id, to_pos in self._ended.items():
            if to_pos <= position:
                view.unset(room_id)
        view.standings = dict(sorted(view.standings.items(), key=_position))
        if view.standings:
            view.latest = max(view.latest, next(reversed(view.standings.values())).position)


def _position(entry: tuple[str, Standing]) -> int:
    return entry[1].position
