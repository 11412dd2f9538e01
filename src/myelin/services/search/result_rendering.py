"""Search results as the client reads them (spec: "Result Room Events")."""

from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from myelin.http.requester import Requester
from myelin.matrix.errors import Forbidden
from myelin.services.rooms.presentation import Presentation, spliced
from myelin.services.rooms.state_reading import StateReading
from myelin.services.rooms.timeline import TimelineEvent
from myelin.services.rooms.tokens import page_token
from myelin.services.rooms.viewpoint import Viewpoints
from myelin.services.search.message_search import Found, Result
from myelin.services.search.result_context import ContextReader
from myelin.services.search.search_request import ContextWish, GroupKey, RoomEventsCriteria


class ResultRendering:
    """Renders results with what was asked for beside them."""

    def __init__(
        self, context: ContextReader, presentation: Presentation, state: StateReading, viewpoints: Viewpoints
    ) -> None:
        self._context = context
        self._presentation = presentation
        self._state = state
        self._viewpoints = viewpoints

    async def room_events(self, requester: Requester, criteria: RoomEventsCriteria, found: Found) -> dict[str, Any]:
        """The category's results."""
        wish = None if criteria.event_context is None else criteria.event_context.check()
        answer: dict[str, Any] = {
            "count": found.total,
            "highlights": found.highlights,
            "results": [await self._result(result, wish) for result in found.results],
        }
        if found.has_more and found.results:
            answer["next_batch"] = found.results[-1].place.token()
        if criteria.include_state:
            answer["state"] = await self._states(requester, found.results)
        if criteria.groupings is not None:
            answer["groups"] = {group.key: _groups(found, group.key) for group in criteria.groupings.group_by}
        return answer

    async def _result(self, result: Result, wish: ContextWish | None) -> dict[str, Any]:
        if wish is None:
            return {"rank": result.score, "result": (await self._rendered(result, [result.event]))[0]}
        around = await self._context.context(result, wish)
        events = await self._rendered(result, [result.event, *around.before, *around.after])
        after = 1 + len(around.before)
        context: dict[str, Any] = {
            "start": page_token(around.start),
            "end": page_token(around.end),
            "events_before": events[1:after],
            "events_after": events[after:],
        }
        if around.profiles is not None:
            context["profile_info"] = around.profiles
        return {"rank": result.score, "result": events[0], "context": context}

    async def _rendered(self, result: Result, events: Sequence[TimelineEvent]) -> list[Any]:
        return [orjson.Fragment(event) for event in await self._presentation.of(result.view, events)]

    async def _states(self, requester: Requester, results: Iterable[Result]) -> dict[str, Any]:
        states: dict[str, Any] = {}
        for room_id in dict.fromkeys(result.view.room.room_id for result in results):
            try:
                view = await self._viewpoints.of(requester, room_id)
            except Forbidden:  # single events can be seen of rooms that cannot be read as a whole
                continue
            states[room_id] = spliced(await self._state.whole(view))
        return states


def _groups(found: Found, key: GroupKey) -> dict[str, Any]:
    """The results in groups, each with where to go on within it."""
    grouped: dict[str, list[Result]] = {}
    for result in found.results:
        grouped.setdefault(result.group(key), []).append(result)
    groups: dict[str, Any] = {}
    for order, (value, members) in enumerate(grouped.items()):
        groups[value] = {"results": [result.event.pdu.event_id for result in members], "order": order}
        if found.has_more:
            groups[value]["next_batch"] = members[-1].place._replace(key=key, value=value).token()
    return groups
