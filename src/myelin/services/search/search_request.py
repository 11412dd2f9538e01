"""What a search asks for, checked; and the tokens by which it is continued."""

import binascii
import math
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any, Literal, NamedTuple

import msgspec

from myelin.matrix.errors import InvalidParam
from myelin.matrix.filters import EVERYTHING, EventFilter, parse_room_event_filter
from myelin.services.search.searchable import TYPE_BY_KEY

DEFAULT_LIMIT = 10
MAX_LIMIT = 100
"""Results in one answer."""
MAX_CONTEXT = 50
"""Events shown before a result, and after it."""
MAX_TOKEN_LENGTH = 1_024

Order = Literal["rank", "recent"]
GroupKey = Literal["room_id", "sender"]


class ContextWish(msgspec.Struct):
    """How much to show around a result."""

    before_limit: int = 5
    after_limit: int = 5
    include_profile: bool = False

    def check(self) -> "ContextWish":
        """The same within bounds. Raises InvalidParam."""
        if self.before_limit < 0 or self.after_limit < 0:
            raise InvalidParam("Limits must not be negative")
        return ContextWish(
            min(self.before_limit, MAX_CONTEXT), min(self.after_limit, MAX_CONTEXT), self.include_profile
        )


class Group(msgspec.Struct):
    """A way to group results."""

    key: GroupKey


class Groupings(msgspec.Struct):
    """All ways to group results."""

    group_by: list[Group] = []


class RoomEventsCriteria(msgspec.Struct):
    """The search as the client writes it (spec: "Room Events Criteria")."""

    search_term: str
    keys: list[Literal["content.body", "content.name", "content.topic"]] | None = None
    filter: dict[str, Any] | None = None
    order_by: Order = "rank"
    event_context: ContextWish | None = None
    include_state: bool = False
    groupings: Groupings | None = None

    def event_filter(self) -> EventFilter:
        """The filter made ready. Raises BadJson or InvalidParam."""
        return parse_room_event_filter(self.filter) if self.filter else EVERYTHING

    def types(self) -> list[str]:
        """Types of events to search in."""
        return sorted({TYPE_BY_KEY[key] for key in (self.keys if self.keys is not None else TYPE_BY_KEY)})

    def limit(self) -> int:
        """Results in one answer."""
        wanted = self.event_filter().limit
        return DEFAULT_LIMIT if wanted is None else min(wanted, MAX_LIMIT)

    def senders(self) -> list[str] | None:
        """Whose events are searched; None for everybody's."""
        return (self.filter or {}).get("senders")


class Place(NamedTuple):
    """Where a search is continued: after a result, within a group if one is named."""

    score: float
    position: int
    key: GroupKey | None = None
    value: str = ""

    def token(self) -> str:
        """As a client carries it."""
        return urlsafe_b64encode(msgspec.json.encode(tuple(self))).decode().rstrip("=")


def parse_place(token: str) -> Place:
    """Read a token. Raises InvalidParam."""
    try:
        data = urlsafe_b64decode(token + "=" * (-len(token) % 4)) if len(token) <= MAX_TOKEN_LENGTH else b""
        place = Place(*msgspec.json.decode(data, type=tuple[float, int, GroupKey | None, str]))
    except (ValueError, binascii.Error, msgspec.MsgspecError) as error:
        raise InvalidParam("next_batch is not a token that a search gave") from error
    if not math.isfinite(place.score):
        raise InvalidParam("next_batch is not a token that a search gave")
    return place
