"""A page of a room's history as clients get it."""

from typing import Any

from myelin.matrix.filters import EventFilter
from myelin.services.rooms.pagination import Page, Pagination, Span
from myelin.services.rooms.presentation import Presentation, spliced
from myelin.services.rooms.state_reading import StateReading
from myelin.services.rooms.tokens import page_token
from myelin.services.rooms.viewpoint import Viewpoint


class Messages:
    """Answers `/messages`."""

    def __init__(self, pagination: Pagination, presentation: Presentation, state: StateReading) -> None:
        self._pagination = pagination
        self._presentation = presentation
        self._state = state

    async def page(
        self, view: Viewpoint, span: Span, limit: int, wanted: EventFilter, *, start: str | None
    ) -> dict[str, Any]:
        """The answer; `start` is the token that the client gave."""
        page = await self._pagination.page(view, span, limit, wanted)
        answer: dict[str, Any] = {
            "start": start or page_token(span.start),
            "chunk": spliced(await self._presentation.of(view, page.events)),
        }
        end = _end(page, span)
        if end is not None:
            answer["end"] = page_token(end)
        if wanted.lazy_load_members:
            answer["state"] = spliced(await self._state.senders(view, page.events))
        return answer


def _end(page: Page, span: Span) -> int | None:
    """Where to read on. Clients expect it after every event, also the last one, and learn from an empty page."""
    if page.end is not None or not page.events:
        return page.end
    last = page.events[-1].position
    return last - 1 if span.is_back else last
