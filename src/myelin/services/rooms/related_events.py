"""The events that relate to one (spec: `GET /rooms/{roomId}/relations/{eventId}`)."""

from collections.abc import Sequence
from typing import NamedTuple

from myelin.db.connection import Database
from myelin.matrix.filters import EVERYTHING
from myelin.services.rooms.client_events import ClientEvents
from myelin.services.rooms.event_context import EventContext
from myelin.services.rooms.pagination import Span
from myelin.services.rooms.selection import Selection
from myelin.services.rooms.timeline import TimelineEvent
from myelin.services.rooms.viewpoint import Viewpoint
from myelin.store.relations import Relation, RelationStore

RECURSION_DEPTH = 3
"""Relations followed from the parent (spec: at least 3)."""


class Kind(NamedTuple):
    """Which relations: empty strings take every type."""

    rel_type: str = ""
    event_type: str = ""
    depth: int = 1


class RelatedPage(NamedTuple):
    """Events in the direction of reading; `end` is None where there are no more."""

    events: list[TimelineEvent]
    end: int | None


class RelatedEvents:
    """Finds children of events."""

    def __init__(
        self, database: Database, client_events: ClientEvents, context: EventContext, selection: Selection
    ) -> None:
        self._relations = RelationStore(database)
        self._client_events = client_events
        self._context = context
        self._selection = selection

    async def page(self, view: Viewpoint, event_id: str, kind: Kind, span: Span, limit: int) -> RelatedPage:
        """At most `limit` children that the reader may see; fewer do not mean that there are no more.

        Raises NotFound where the reader may not see the parent.
        """
        await self._context.event(view, event_id)
        rows = await self._rows(view, event_id, kind, span, limit + 1)
        found = await self._client_events.by_id(view.room, [row.event_id for row in rows[:limit]])
        events = [found[row.event_id] for row in rows[:limit] if row.event_id in found]
        visible = await self._selection.of(view, events, EVERYTHING)
        if len(rows) <= limit:
            return RelatedPage(visible, None)
        return RelatedPage(visible, rows[limit].position if span.is_back else rows[limit].position - 1)

    async def _rows(self, view: Viewpoint, event_id: str, kind: Kind, span: Span, limit: int) -> Sequence[Relation]:
        store, room_id, position = self._relations, view.room.room_id, view.room.position
        parent = (room_id, event_id, kind.rel_type, kind.event_type)
        if span.is_back:
            reach = (span.stop, min(span.start, position) + 1, limit)
            if kind.depth == 1:
                return await store.newest(*parent, *reach)
            return await store.newest_of_family(*parent, *reach, kind.depth)
        reach = (span.start, min(span.stop, position) + 1, limit)
        if kind.depth == 1:
            return await store.oldest(*parent, *reach)
        return await store.oldest_of_family(*parent, *reach, kind.depth)
