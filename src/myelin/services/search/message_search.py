"""Full-text search in the rooms a user is or was in (spec: Client-Server API, "Server Side Search").

The index gives the newest events with the words; what the searcher may not see is dropped before anything is counted.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from myelin.db.connection import Database
from myelin.http.requester import Requester
from myelin.matrix.filters import EventFilter
from myelin.services.rooms.client_events import ClientEvents
from myelin.services.rooms.selection import Selection
from myelin.services.rooms.sight import Sight
from myelin.services.rooms.timeline import TimelineEvent
from myelin.services.rooms.viewpoint import Viewpoint, Viewpoints
from myelin.services.rooms.visibility import Visibility
from myelin.services.search.search_request import GroupKey, Place, RoomEventsCriteria
from myelin.services.search.search_term import SearchTerm, parse_search_term
from myelin.store.search import Match, SearchStore, forget_waiting, index_waiting

MAX_MATCHES = 20_000
"""Of the events that have the words, so many of the newest are looked at."""


class Result(NamedTuple):
    """An event that matches."""

    view: Viewpoint
    event: TimelineEvent
    score: float

    @property
    def place(self) -> Place:
        """Where the search goes on after it."""
        return Place(self.score, self.event.position)

    def group(self, key: GroupKey) -> str:
        """The group it belongs to."""
        return self.view.room.room_id if key == "room_id" else self.event.pdu.sender


class Found(NamedTuple):
    """Results in the order asked for."""

    total: int
    """All that match, as far as the searcher may see them."""
    results: list[Result]
    has_more: bool
    highlights: list[str]


NOTHING = Found(0, [], has_more=False, highlights=[])


class MessageSearch:
    """Finds events by words."""

    def __init__(
        self,
        database: Database,
        viewpoints: Viewpoints,
        visibility: Visibility,
        client_events: ClientEvents,
        selection: Selection,
    ) -> None:
        self._database = database
        self._store = SearchStore(database)
        self._viewpoints = viewpoints
        self._visibility = visibility
        self._client_events = client_events
        self._selection = selection

    async def search(self, requester: Requester, criteria: RoomEventsCriteria, after: Place | None) -> Found:
        """One page of results. Raises BadJson or InvalidParam for a filter that is none."""
        wanted = criteria.event_filter()
        term = parse_search_term(criteria.search_term)
        room_ids = await self._searched(requester.user_id, wanted, after)
        if term is None or not room_ids or wanted.passes_none:
            return NOTHING
        matches = await self._matches(term, criteria, room_ids)
        views = await self._views(requester, matches)
        visible = [m for m in matches if m.room_id in views and _is_seen(views[m.room_id].sight, m)]
        if after is not None and after.key == "sender":
            visible = [match for match in visible if match.sender == after.value]
        ordered = sorted(visible, key=_rank if criteria.order_by == "rank" else _age)
        rest = ordered if after is None else _after(ordered, after, by_rank=criteria.order_by == "rank")
        results, has_more = await self._load(views, rest, wanted, criteria.limit())
        return Found(len(ordered), results, has_more, term.highlights(_texts(results)))

    async def _searched(self, user_id: str, wanted: EventFilter, after: Place | None) -> list[str]:
        """The rooms to search: those the user ever had to do with, and did not forget."""
        room_ids = [room_id for room_id in await self._store.rooms_of(user_id) if wanted.allows_room(room_id)]
        if after is not None and after.key == "room_id":
            return [room_id for room_id in room_ids if room_id == after.value]
        return room_ids

    async def _matches(self, term: SearchTerm, criteria: RoomEventsCriteria, room_ids: list[str]) -> list[Match]:
        await self._index_what_waits()
        senders = criteria.senders()
        return await self._store.matches(
            match=term.fts5(room_ids),
            tsquery=term.tsquery(room_ids),
            ranked=term.tsquery(),
            most=MAX_MATCHES,
            room_ids=room_ids,
            types=criteria.types(),
            any_sender=int(senders is None),
            senders=senders or [],
        )

    async def _index_what_waits(self) -> None:
        if not await self._store.is_waiting():
            return
        async with self._database.transaction() as transaction:
            for sql, args in (index_waiting(), forget_waiting()):
                await transaction.execute(sql, args)

    async def _views(self, requester: Requester, matches: Iterable[Match]) -> dict[str, Viewpoint]:
        room_ids = sorted({match.room_id for match in matches})
        await self._visibility.prepare(room_ids)
        return {room_id: await self._viewpoints.of_events(requester, room_id) for room_id in room_ids}

    async def _load(
        self, views: dict[str, Viewpoint], ordered: Sequence[Match], wanted: EventFilter, limit: int
    ) -> tuple[list[Result], bool]:
        """The first results that the searcher is given and the filter wants, and whether there may be more."""
        results: list[Result] = []
        start = 0
        while len(results) < limit and start < len(ordered):
            chunk = ordered[start : start + limit - len(results)]
            start += len(chunk)
            events = await self._events(views, chunk, wanted)
            results.extend(Result(views[m.room_id], events[m.event_id], m.score) for m in chunk if m.event_id in events)
        return results, start < len(ordered)

    async def _events(
        self, views: dict[str, Viewpoint], matches: Iterable[Match], wanted: EventFilter
    ) -> dict[str, TimelineEvent]:
        by_room: dict[str, list[str]] = defaultdict(list)
        for match in matches:
            by_room[match.room_id].append(match.event_id)
        found: dict[str, TimelineEvent] = {}
        for room_id, event_ids in by_room.items():
            events = await self._client_events.by_id(views[room_id].room, event_ids)
            chosen = await self._selection.of(views[room_id], list(events.values()), wanted)
            found.update((event.pdu.event_id, event) for event in chosen)
        return found


def _is_seen(sight: Sight, match: Match) -> bool:
    return sight.may_see_at(match.position) and not sight.hides(match.sender, match.position)


def _rank(match: Match) -> tuple[float, int]:
    return -match.score, -match.position


def _age(match: Match) -> int:
    return -match.position


def _after(ordered: list[Match], place: Place, *, by_rank: bool) -> list[Match]:
    if by_rank:
        return [m for m in ordered if (m.score, m.position) < (place.score, place.position)]
    return [m for m in ordered if m.position < place.position]


def _texts(results: Iterable[Result]) -> list[str]:
    contents = [result.event.pdu.content for result in results]
    return [
        text for content in contents for key in ("body", "name", "topic") if isinstance(text := content.get(key), str)
    ]
