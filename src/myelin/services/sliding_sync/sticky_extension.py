"""The extension that tells of sticky events, with a token of its own like that of to-device messages (MSC4480)."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from myelin.matrix.errors import InvalidParam
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.client_events import ClientEvents
from myelin.services.rooms.timeline import BEGINNING, render
from myelin.services.sliding_sync.plan import Plan
from myelin.services.sliding_sync.request import StickyBody
from myelin.services.sliding_sync.user_lists import UserLists
from myelin.services.sticky_events.sticky_events import StickyEvents
from myelin.store.sticky_events import StickyEvent
from myelin.telemetry.ambient import Clock

MAX_EVENTS = 100
MAX_TOKEN_DIGITS = 18


class StickyReader(NamedTuple):
    """Who is answered, with what of rooms."""

    user_id: str
    device_id: str
    plan: Plan
    until: int
    ignored: frozenset[str]
    shown: Mapping[str, frozenset[str]]
    """The event IDs in the timelines of the answer."""


class StickyExtension:
    """Answers it."""

    def __init__(
        self, lists: UserLists, rooms: Rooms, sticky: StickyEvents, events: ClientEvents, clock: Clock
    ) -> None:
        self._lists = lists
        self._rooms = rooms
        self._sticky = sticky
        self._events = events
        self._clock = clock

    async def answer(self, reader: StickyReader, wanted: StickyBody) -> dict[str, Any]:
        """The oldest of the events after the client's own token; empty where there are none. Raises InvalidParam."""
        since = _position(wanted.since)
        rows = await self._rows(reader, since)
        if not rows:
            return {}
        limit = min(max(wanted.limit, 1), MAX_EVENTS)
        reached = reader.until
        if len(rows) > limit:
            rows = rows[:limit]
            reached = max(since, rows[-1].position)
        found: dict[str, Any] = {}
        for row in rows:
            event = None if row.event_id in reader.shown.get(row.room_id, ()) else await self._rendered(reader, row)
            if event is not None:
                found.setdefault(row.room_id, {"events": []})["events"].append(event)
        return {"next_batch": str(reached), **({"rooms": found} if found else {})}

    async def _rows(self, reader: StickyReader, since: int) -> list[StickyEvent]:
        """What is sticky in the rooms of the request, the oldest first; all of it where the reader came in since."""
        view = reader.plan.mine.view
        room_ids = view.joined.intersection(await self._sticky.rooms())
        rows: list[StickyEvent] = []
        for room_id in room_ids.intersection(await self._in_scope(reader.plan)) if room_ids else ():
            entered = view.standings[room_id].entered
            after = BEGINNING if entered > since else since
            rows += await self._sticky.in_room(room_id, after, reader.until)
        rows.sort(key=lambda row: row.position)
        return [row for row in rows if row.sender not in reader.ignored]

    async def _in_scope(self, plan: Plan) -> set[str]:
        """Rooms that a list is about, in its window or not, and those that are subscribed to."""
        found = set(plan.rooms)
        for given in plan.wanted.lists.values():
            found.update(await self._lists.rooms_of(plan.mine, given.filters))
        return found

    async def _rendered(self, reader: StickyReader, row: StickyEvent) -> Any:
        room = await self._rooms.get(row.room_id)
        event = (await self._events.by_id(room, [row.event_id])).get(row.event_id)
        if event is None or event.because:
            return None
        return render(event, self._clock.now_ms(), device_id=reader.device_id, user_id=reader.user_id)


def _position(token: str | None) -> int:
    if not token:
        return 0
    if not (token.isascii() and token.isdecimal()) or len(token) > MAX_TOKEN_DIGITS:
        raise InvalidParam("since of the sticky events is not a token that this server gave")
    return int(token)
