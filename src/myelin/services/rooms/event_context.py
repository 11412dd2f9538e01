"""One event, and what happened around it (spec: `GET /rooms/{roomId}/context/{eventId}`)."""

from typing import Any

import orjson

from myelin.matrix.errors import NotFound
from myelin.matrix.filters import EventFilter
from myelin.services.rooms.client_events import ClientEvents
from myelin.services.rooms.pagination import Page, Pagination, Span
from myelin.services.rooms.presentation import Presentation, spliced
from myelin.services.rooms.state_reading import StateReading
from myelin.services.rooms.timeline import TimelineEvent
from myelin.services.rooms.tokens import page_token
from myelin.services.rooms.viewpoint import Viewpoint
from myelin.services.rooms.visibility import shown


class EventContext:
    """Shows single events of rooms."""

    def __init__(
        self, client_events: ClientEvents, pagination: Pagination, presentation: Presentation, state: StateReading
    ) -> None:
        self._client_events = client_events
        self._pagination = pagination
        self._presentation = presentation
        self._state = state

    async def event(self, view: Viewpoint, event_id: str) -> TimelineEvent:
        """An event of this room that the reader may see. Raises NotFound."""
        event = self._client_events.recall(view.room, event_id)
        if event is None:
            event = (await self._client_events.by_id(view.room, [event_id])).get(event_id)
        visible = shown(view.room, view.sight, () if event is None else (event,))
        if not visible:
            raise NotFound("There is no such event")
        return visible[0]

    async def json(self, view: Viewpoint, event_id: str) -> bytes:
        """An event as JSON. Raises NotFound."""
        return (await self._presentation.of(view, [await self.event(view, event_id)]))[0]

    async def context(self, view: Viewpoint, event_id: str, limit: int, wanted: EventFilter) -> dict[str, Any]:
        """An event with at most `limit` events before and after it, and the room's state there. Raises NotFound."""
        event = await self.event(view, event_id)
        back, forward = Span.back(event.position - 1), Span.forward(event.position)
        before = await self._pagination.page(view, back, limit // 2, wanted)
        after = await self._pagination.page(view, forward, limit - limit // 2, wanted)
        found = [*before.events, event, *after.events]
        last = found[-1] if after.events else event
        rendered = await self._presentation.of(view, found)
        count = len(before.events)
        return {
            "event": orjson.Fragment(rendered[count]),
            "events_before": spliced(rendered[:count]),
            "events_after": spliced(rendered[count + 1 :]),
            "state": spliced(await self._state.around(view, last.position, found, wanted)),
            "start": page_token(_start(before, event)),
            "end": page_token(last.position if after.end is None else after.end),
        }


def _start(before: Page, event: TimelineEvent) -> int:
    """Where reading back goes on."""
    if before.end is not None:
        return before.end
    return (before.events[-1] if before.events else event).position - 1
