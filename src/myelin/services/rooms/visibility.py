"""Who may see which events of a room, and as of when its state (spec: room history visibility)."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import orjson

from myelin.bus.feed import Feed
from myelin.bus.news import RoomEvents
from myelin.bus.remembered import Remembered
from myelin.db.connection import Database
from myelin.matrix.errors import Forbidden
from myelin.matrix.history_visibility import HistoryVisibility, visibility_of
from myelin.services.rooms.erasure import Erasures, as_if_redacted, is_of_the_user
from myelin.services.rooms.room import CREATE, MEMBER, Room
from myelin.services.rooms.sight import History, MembershipFrom, Sight, VisibleFrom
from myelin.services.rooms.timeline import BEGINNING, TimelineEvent
from myelin.store.graph import GraphStore
from myelin.store.state import StateStore

HISTORY_VISIBILITY = "m.room.history_visibility"
MAX_HISTORIES = 20_000
MAX_SIGHTS = 20_000


class Visibility:
    """Knows rooms' history visibility and users' memberships over time, mostly from memory."""

    def __init__(self, database: Database, feed: Feed) -> None:
        self._state = StateStore(database)
        self._gaps = GraphStore(database)
        self._erasures = Erasures(database, feed)
        self._histories: Remembered[str, History] = Remembered(MAX_HISTORIES)
        self._sights: Remembered[tuple[str, str], Sight] = Remembered(MAX_SIGHTS)
        feed.subscribe(RoomEvents, self._hear)

    async def prepare(self, room_ids: Sequence[str]) -> None:
        """Have the history visibility of many rooms in memory, by at most one query."""
        await self._histories.get_all(room_ids, self._read)

    def sees_all(self, room: Room, user_id: str) -> bool:
        """Whether the user is known to see every event of the room; asks memory only: False may mean not known."""
        if user_id not in room.joined:
            return False
        history = self._histories.recall(room.room_id)
        if history is None or not history.is_open:
            return False
        erased = self._erasures.recall(room)
        if erased:
            sight = self._sights.recall((room.room_id, user_id))
            return sight is not None and sight.sees_all
        return erased is not None

    async def visible(self, room: Room, user_id: str, events: Sequence[TimelineEvent]) -> list[TimelineEvent]:
        """Those of the room's events that the user may see, in their order, redacted where their sender was erased."""
        erased = await self._erasures.of(room)
        if not erased and user_id in room.joined and (await self._history(room.room_id)).is_open:
            return list(events)
        return shown(room, await self.sight(room, user_id), events)

    async def sight(self, room: Room, user_id: str) -> Sight:
        """What the user can see of the room, for many questions: at most two queries, usually none."""
        history, erased = await self._history(room.room_id), await self._erasures.of(room)
        key = room.room_id, user_id
        held = self._sights.recall(key)
        if held is not None and held.history is history:
            return held
        self._sights.forget(key)
        return await self._sights.get(key, lambda _: self._look(room.room_id, user_id, history, erased))

    async def erased(self, room: Room) -> Mapping[str, int]:
        """The room's erased users, and since which position of the log each is."""
        return await self._erasures.of(room)

    async def may_read_state(self, room: Room, user_id: str) -> int:
        """The position as of which the user may read the room: the current one, or that at which they left.

        Raises Forbidden where they never were in the room, or forgot it, and it is not world readable.
        """
        if user_id in room.joined:
            return room.position
        ended = (await self.sight(room, user_id)).last_join_ended
        if ended is not None and room.room_id not in await self._state.forgotten(user_id):
            return min(ended, room.position)
        if is_world_readable(room):
            return room.position
        raise Forbidden("You are not a member of this room")

    async def refresh(self, room: Room) -> None:
        """Take notice of what was backfilled, by whatever process; only rooms that came from elsewhere have a past."""
        if room.floor != BEGINNING:
            await self.history(room.room_id, await self._gaps.backward())

    async def history(self, room_id: str, position: int = 0) -> History:
        """All that the room's history visibility ever was, as far back as a position at least."""
        history = await self._history(room_id)
        if position < history.reach:
            self._histories.forget(room_id)
            history = await self._history(room_id)
        return history

    async def _history(self, room_id: str) -> History:
        held = self._histories.recall(room_id)
        if held is not None:
            return held
        return await self._histories.get(room_id, self._read_one)

    async def _read_one(self, room_id: str) -> History:
        return (await self._read([room_id]))[room_id]

    async def _read(self, room_ids: list[str]) -> dict[str, History]:
        # First how far back events go: what is backfilled from here on is not covered.
        reach = await self._gaps.backward()
        await self._erasures.load()
        entries: dict[str, list[VisibleFrom]] = defaultdict(list)
        for row in await self._state.history_visibilities(room_ids):
            entries[row.room_id].append(VisibleFrom(row.from_pos, visibility_of(orjson.loads(row.json)["content"])))
        return {room_id: History(entries[room_id], reach) for room_id in room_ids}

    async def _look(self, room_id: str, user_id: str, history: History, erased: Mapping[str, int]) -> Sight:
        rows = await self._state.memberships_in(user_id, room_id)
        return Sight(user_id, history, [MembershipFrom(r.from_pos, r.to_pos, r.membership) for r in rows], erased)

    def _hear(self, position: int, news: RoomEvents) -> None:
        for key, _ in news.state:
            if key[0] == MEMBER:
                self._sights.forget((news.room_id, key[1]))
            elif key == (HISTORY_VISIBILITY, ""):
                self._histories.forget(news.room_id)
        if news.is_gap:
            self._histories.forget(news.room_id)
        elif news.state and news.pdus and news.pdus[0].state_key is not None and news.pdus[0].key == CREATE:
            self._erasures.has_begun(news.room_id)
            changes = enumerate(news.pdus, position)
            self._histories.put(
                news.room_id,
                History(VisibleFrom(at, visibility_of(p.content)) for at, p in changes if p.type == HISTORY_VISIBILITY),
            )


def shown(room: Room, sight: Sight, events: Iterable[TimelineEvent]) -> list[TimelineEvent]:
    """The events that a user may see, redacted where their sender was erased before the user came in."""
    seen = sight.visible(events)
    if not sight.erased:
        return seen
    return [as_if_redacted(e, room) if is_hidden(sight, e) else e for e in seen]


def is_hidden(sight: Sight, event: TimelineEvent) -> bool:
    """Whether an event's content is not for the user, as its sender was erased."""
    return bool(sight.erased) and is_of_the_user(event.pdu) and sight.hides(event.pdu.sender, event.position)


def is_world_readable(room: Room) -> bool:
    """Whether anybody may read the room as it is now."""
    current = room.current(HISTORY_VISIBILITY)
    return current is not None and visibility_of(current.content) is HistoryVisibility.WORLD_READABLE
