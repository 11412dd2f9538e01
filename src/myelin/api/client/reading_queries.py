"""Query parameters that the endpoints for reading rooms share."""

from typing import Annotated, Literal

import msgspec
import orjson
from msgspec import Meta

from myelin.matrix.errors import InvalidParam
from myelin.matrix.filters import EVERYTHING, EventFilter, parse_room_event_filter
from myelin.services.rooms.pagination import Span
from myelin.services.rooms.timeline import BEGINNING
from myelin.services.rooms.tokens import parse_token

MAX_PAGE = 1_000
"""Events in one answer at most, whatever the client asks for."""
DEFAULT_PAGE = 10

Direction = Literal["b", "f"]
Limit = Annotated[int, Meta(ge=0)]
Membership = Literal["join", "invite", "knock", "leave", "ban"]


def page_size(limit: int) -> int:
    """As many as asked for, up to what one answer may have."""
    return min(limit, MAX_PAGE)


def position_of(token: str | None) -> int | None:
    """Where a token stands. Raises InvalidParam."""
    return parse_token(token).position if token is not None else None


def event_filter(text: str | None) -> EventFilter:
    """A `RoomEventFilter` as JSON. Raises BadJson, InvalidParam."""
    if not text:
        return EVERYTHING
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidParam("The filter is not JSON") from error
    return parse_room_event_filter(value)


class PageQuery(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """Where a page begins and ends."""

    from_: str | None = None
    to: str | None = None
    dir: Direction = "b"
    limit: Limit = DEFAULT_PAGE

    def span(self, now: int) -> Span:
        """Without `from`, reading back begins at `now`, reading on at the beginning. Raises InvalidParam."""
        start, stop = position_of(self.from_), position_of(self.to)
        if self.dir == "b":
            back = Span.back(now if start is None else start)
            return back if stop is None else back._replace(stop=stop)
        forward = Span.forward(BEGINNING if start is None else start)
        return forward if stop is None else forward._replace(stop=stop)
