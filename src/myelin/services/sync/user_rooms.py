"""Which rooms a user is in, as of the last position that this process has been told of."""

from collections.abc import Iterable
from typing import NamedTuple

from myelin.bus.feed import Feed
from myelin.bus.news import RoomEvents, RoomForgotten
from myelin.bus.remembered import Remembered
from myelin.db.connection import Database
from myelin.services.rooms.room import MEMBER
from myelin.store.state import Membership, StateStore

MAX_REMEMBERED = 20_000


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
        self.joined: set[str] = set()
        self.forgotten: set[str] = set()
        self.latest = 0
        """The position of the newest change."""
        self.is_lent = False
        """Somebody works with this view, which must not change under their hands."""

    def set(self, room_id: str, membership: str, event_id: str, position: int) -> None:
        """The user's membership of a room changed."""
        before = self.standings.get(room_id)
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
        """Memberships that are newer than a position."""
        if self.latest <= since:
            return []
        return [(room_id, s) for room_id, s in self.standings.items() if s.position > since]

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
        self._remembered: Remembered[str, UserView] = Remembered(MAX_REMEMBERED)
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
        _add_all(view, await self._state.memberships_until(user_id, position), position)
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


def _add_all(view: UserView, rows: Iterable[Membership], position: int) -> None:
    """Put a user's history into their view: of each room what was current at the position stays."""
    ended: dict[str, int] = {}
    standings, joined = view.standings, view.joined
    for row in rows:
        if row.room_id not in ended and row.membership is not None:
            # Of most rooms there is nothing else: of the first row nothing has to be asked.
            standings[row.room_id] = Standing(row.membership, row.event_id, row.from_pos, row.from_pos)
            if row.membership == "join":
                joined.add(row.room_id)
            view.latest = max(view.latest, row.from_pos)
            ended[row.room_id] = row.to_pos
            continue
        if ended.get(row.room_id, row.from_pos) != row.from_pos:
            view.unset(row.room_id)
        if row.membership is None:
            view.unset(row.room_id)
        else:
            view.set(row.room_id, row.membership, row.event_id, row.from_pos)
        ended[row.room_id] = row.to_pos
    for room_id, to_pos in ended.items():
        if to_pos <= position:
            view.unset(room_id)
