"""The event closest to a moment (spec: `GET /rooms/{roomId}/timestamp_to_event`)."""

from myelin.db.connection import Database
from myelin.matrix.errors import NotFound
from myelin.services.rooms.client_events import ClientEvents
from myelin.services.rooms.ports import HistorySources, Moment, RemoteMomentSources
from myelin.services.rooms.room import CREATE, Room
from myelin.services.rooms.timeline import BEGINNING, TimelineEvent
from myelin.services.rooms.viewpoint import Viewpoint
from myelin.store.events import OUTLIER, EventStore

CANDIDATES = 5
"""Events looked at in each stretch that the reader may see: a few at its ends may be hidden all the same."""
MAX_BATCHES = 10
"""How far history is fetched for an event that another server names."""
MAX_STRETCHES = 20
"""Of who came and went more often only the last stays are searched."""


class EventsByTime:
    """Finds events by `origin_server_ts`."""

    def __init__(
        self,
        database: Database,
        client_events: ClientEvents,
        remote: RemoteMomentSources,
        histories: HistorySources,
    ) -> None:
        self._events = EventStore(database)
        self._client_events = client_events
        self._remote = remote
        self._histories = histories

    async def closest(self, view: Viewpoint, ts: int, *, is_back: bool) -> Moment:
        """The closest event at a time, in milliseconds, or after it, with `is_back` before it. Raises NotFound.

        Where what is here does not reach back so far, other servers are asked too.
        """
        try:
            found = await self.closest_here(view, ts, is_back=is_back)
        except NotFound:
            if (moment := await self._from_afar(view, ts, is_back=is_back)) is None:
                raise
            return moment
        here = Moment(found.pdu.event_id, found.pdu.origin_server_ts)
        if is_back or not await self._is_oldest(view.room, found):
            return here
        there = await self._from_afar(view, ts, is_back=is_back)
        is_closer = there is not None and there.origin_server_ts < here.origin_server_ts
        return there if there is not None and is_closer else here

    async def _from_afar(self, view: Viewpoint, ts: int, *, is_back: bool) -> Moment | None:
        """What others know, for who may read all of the room's history."""
        if not view.sight.sees_all:
            return None
        for source in self._remote:
            moment = await source.closest(view.room, ts, is_back=is_back)
            if moment is not None:
                await self._reach_back_to(view.room, moment.event_id)
            return moment
        return None

    async def _reach_back_to(self, room: Room, event_id: str) -> None:
        """Have an event here that another server named, for clients that go on to read around it."""
        history = self._histories.first()
        for _ in range(MAX_BATCHES):
            places = await self._events.places([event_id])
            is_here = any(place.room_id == room.room_id and not place.flags & OUTLIER for place in places)
            if is_here or history is None or not await history.extend(room.room_id):
                return

    async def _is_oldest(self, room: Room, event: TimelineEvent) -> bool:
        """Whether there is more before an event that is not here."""
        if event.pdu.type == CREATE[0]:
            return False
        return not await self._events.newest_ids(room.room_id, BEGINNING - 1, event.position, 1)

    async def closest_here(self, view: Viewpoint, ts: int, *, is_back: bool) -> TimelineEvent:
        """Like `closest`, of what is here."""
        room, sight = view.room, view.sight
        find = self._events.last_before_ts if is_back else self._events.first_after_ts
        found: list[TimelineEvent] = []
        for first, last in sight.stretches[-MAX_STRETCHES:]:
            until = min(last, room.position)
            rows = await find(room.room_id, ts, first - 1, until + 1, 1 if sight.sees_all else CANDIDATES)
            found += sight.visible(await self._client_events.of_rows(room, rows))
        if not found:
            raise NotFound(f"There is no event {'before' if is_back else 'after'} {ts}")
        return min(found, key=lambda event: abs(event.pdu.origin_server_ts - ts))
