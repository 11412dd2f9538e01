"""What is shown around a search result: the events before and after it, and who their senders were then."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from myelin.db.connection import Database
from myelin.matrix.filters import EVERYTHING
from myelin.services.rooms.client_events import ClientEvents
from myelin.services.rooms.pagination import Pagination, Span
from myelin.services.rooms.timeline import TimelineEvent
from myelin.services.search.message_search import Result
from myelin.services.search.search_request import ContextWish
from myelin.store.state import StateStore

PROFILE_FIELDS = ("displayname", "avatar_url")


class ResultContext(NamedTuple):
    """Events around a result; `start` and `end` are positions to page on from."""

    start: int
    end: int
    before: list[TimelineEvent]
    """Newest first."""
    after: list[TimelineEvent]
    profiles: dict[str, dict[str, str]] | None


class ContextReader:
    """Reads what surrounds results, as far as the searcher may see it."""

    def __init__(self, database: Database, pagination: Pagination, client_events: ClientEvents) -> None:
        self._state = StateStore(database)
        self._pagination = pagination
        self._client_events = client_events

    async def context(self, result: Result, wish: ContextWish) -> ResultContext:
        """The events around one result."""
        position = result.event.position
        before = await self._pagination.page(result.view, Span.back(position - 1), wish.before_limit, EVERYTHING)
        after = await self._pagination.page(result.view, Span.forward(position), wish.after_limit, EVERYTHING)
        start = (before.events[-1].position if before.events else position) - 1
        end = after.events[-1].position if after.events else position
        return ResultContext(
            start=start if before.end is None else before.end,
            end=end if after.end is None else after.end,
            before=before.events,
            after=after.events,
            profiles=await self._profiles(result, [*before.events, *after.events]) if wish.include_profile else None,
        )

    async def _profiles(self, result: Result, around: Sequence[TimelineEvent]) -> dict[str, dict[str, str]]:
        """Names and avatars of the senders, as they were at the result."""
        room = result.view.room
        senders = {event.pdu.sender for event in (result.event, *around)}
        members = await self._state.member_events_at(room.room_id, sorted(senders), result.event.position)
        events = (await self._client_events.state(room, members)).values()
        return {event.pdu.state_key or "": _profile(event.pdu.content) for event in events}


def _profile(content: dict[str, Any]) -> dict[str, str]:
    return {field: value for field in PROFILE_FIELDS if isinstance(value := content.get(field), str)}
