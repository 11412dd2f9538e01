"""A page of a room's history as clients get it."""

from typing import Any

from myelin.matrix.filters import EventFilter
from myelin.services.rooms.pagination import Page, Pagination, Span
from myelin.services.rooms.ports import HistorySources
from myelin.services.rooms.presentation import Presentation, spliced
from myelin.services.rooms.state_reading import StateReading
from myelin.services.rooms.timeline import BEGINNING
from myelin.services.rooms.tokens import page_token
from myelin.services.rooms.viewpoint import Viewpoint, Viewpoints

MAX_BATCHES = 4
"""Batches of older events that are fetched, or looked at when others fetched them, for one page."""


class Messages:
    """Answers `/messages`."""

    def __init__(
        self,
        pagination: Pagination,
        presentation: Presentation,
        state: StateReading,
        viewpoints: Viewpoints,
        histories: HistorySources,
    ) -> None:
        self._pagination = pagination
        self._presentation = presentation
        self._state = state
        self._viewpoints = viewpoints
        self._histories = histories

    async def page(
        self, view: Viewpoint, span: Span, limit: int, wanted: EventFilter, *, start: str | None
    ) -> dict[str, Any]:
        """The answer; `start` is the token that the client gave."""
        view, page = await self._page(view, span, limit, wanted)
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

    async def _page(self, view: Viewpoint, span: Span, limit: int, wanted: EventFilter) -> tuple[Viewpoint, Page]:
        """A page; where it ends at the beginning of what is here, more is fetched from other servers."""
        page = await self._pagination.page(view, span, limit, wanted)
        history = self._histories.first()
        if history is None or view.room.floor == BEGINNING:
            return view, page
        for _ in range(MAX_BATCHES):
            if not _ends_here(view, span, page, limit) or not await history.extend(view.room.room_id):
                break
            view = await self._viewpoints.again(view)
            page = await self._pagination.page(view, span, limit, wanted)
        return view, page


def _ends_here(view: Viewpoint, span: Span, page: Page, limit: int) -> bool:
    """Whether a page is short for want of events that the reader may see."""
    is_at_start = span.is_back and span.stop == BEGINNING and page.end is None
    return is_at_start and len(page.events) < limit and view.sight.may_see_at(view.sight.history.reach)


def _end(page: Page, span: Span) -> int | None:
    """Where to read on. Clients expect it after every event, also the last one, and learn from an empty page."""
    if page.end is not None or not page.events:
        return page.end
    last = page.events[-1].position
    return last - 1 if span.is_back else last
