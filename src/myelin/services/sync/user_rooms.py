"""Which rooms a user is in, as of the last position that this process has been told of."""

from typing import NamedTuple

from myelin.bus.feed import Feed
from myelin.bus.news import RoomEvents, RoomForgotten
from myelin.bus.remembered import Remembered
from myelin.db.connection import Database
from myelin.store.state import StateStore

MEMBER = "m.room.member"
MAX_REMEMBERED = 20_000


class Standing(NamedTuple):
    """A user's membership of a room, and since when."""

    membership: str
    event_id: str
    position: int


class UserView:
    """All rooms that a user has, or had, to do with."""

    __slots__ = ("forgotten", "joined", "latest", "standings", "user_id")

    def __init__(self, user_id: str) -> None:
        self.user_id = user_id
        self.standings: dict[str, Standing] = {}
        self.joined: set[str] = set()
        self.forgotten: set[str] = set()
        self.latest = 0
        """The position of the newest change."""

    def set(self, room_id: str, standing: Standing) -> None:
        """The user's membership of a room changed."""
        self.standings[room_id] = standing
        self.latest = max(self.latest, standing.position)
        if standing.membership == "join":
            self.joined.add(room_id)
        else:
            self.joined.discard(room_id)
        if standing.membership in ("join", "invite", "knock"):
            self.forgotten.discard(room_id)

    def changed_since(self, since: int) -> list[tuple[str, Standing]]:
        """Memberships that are newer than a position."""
        if self.latest <= since:
            return []
        return [(room_id, s) for room_id, s in self.standings.items() if s.position > since]


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

    async def of(self, user_id: str) -> UserView:
        """A user's view."""
        return await self._remembered.get(user_id, self._load)

    async def _load(self, user_id: str) -> UserView:
        view = UserView(user_id)
        # As of what has been told: what is newer in the database will be told, and changes the view then.
        for row in await self._state.memberships_at(user_id, self._feed.position):
            if row.membership is not None:
                view.set(row.room_id, Standing(row.membership, row.event_id, row.from_pos))
        view.forgotten.update(await self._state.forgotten(user_id))
        return view

    def _hear(self, position: int, news: RoomEvents) -> None:
        for (event_type, user_id), event_id in news.state:
            if event_type != MEMBER:
                continue
            view = self._remembered.recall(user_id)
            if view is None:
                # It may be being read right now, from before this change.
                self._remembered.forget(user_id)
                continue
            found = next(((i, p) for i, p in enumerate(news.pdus) if p.event_id == event_id), None)
            membership = found[1].content.get("membership") if found is not None else None
            if found is None or event_id is None or not isinstance(membership, str):
                self._remembered.forget(user_id)
            else:
                view.set(news.room_id, Standing(membership, event_id, position + found[0]))

    def _hear_forgotten(self, _position: int, news: RoomForgotten) -> None:
        view = self._remembered.recall(news.user_id)
        if view is not None:
            view.forgotten.add(news.room_id)
        else:
            self._remembered.forget(news.user_id)
