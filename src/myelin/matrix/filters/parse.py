"""From a filter's JSON to a filter that is ready for use."""

from typing import Any, Final, Literal, TypeVar

import msgspec

from myelin.matrix.errors import BadJson
from myelin.matrix.filters.bodies import FilterBody, RoomEventFilterBody, RoomFilterBody, check_room_ids
from myelin.matrix.filters.event_fields import EventFields
from myelin.matrix.filters.event_filter import EVERYTHING, EventFilter, compile_event_filter

T = TypeVar("T")


class RoomFilter(msgspec.Struct, frozen=True, eq=False):
    """Which rooms `/sync` includes, and what of them."""

    rooms: frozenset[str] | None = None
    not_rooms: frozenset[str] = frozenset()
    include_leave: bool = False
    timeline: EventFilter = EVERYTHING
    state: EventFilter = EVERYTHING
    ephemeral: EventFilter = EVERYTHING
    account_data: EventFilter = EVERYTHING

    def allows_room(self, room_id: str) -> bool:
        """Whether the room is included at all; the filters within come after that."""
        return (self.rooms is None or room_id in self.rooms) and room_id not in self.not_rooms


class Filter(msgspec.Struct, frozen=True, eq=False):
    """The filter of `/sync`."""

    event_fields: EventFields | None = None
    """None where all fields are wanted."""
    event_format: Literal["client", "federation"] = "client"
    presence: EventFilter = EVERYTHING
    account_data: EventFilter = EVERYTHING
    room: RoomFilter = RoomFilter()


UNFILTERED: Final = Filter()
"""The filter that an absent or empty one stands for."""


def parse_filter(value: Any) -> Filter:
    """Make a filter of decoded JSON; unknown keys are ignored. Raises BadJson, InvalidParam."""
    body = _convert(value, FilterBody)
    if body == FilterBody():
        return UNFILTERED
    for part in (body.presence, body.account_data):
        if part is not None:
            part.check()
    return Filter(
        event_fields=EventFields(body.event_fields) if body.event_fields is not None else None,
        event_format=body.event_format,
        presence=compile_event_filter(body.presence),
        account_data=compile_event_filter(body.account_data),
        room=_room_filter(body.room) if body.room is not None else RoomFilter(),
    )


def parse_room_event_filter(value: Any) -> EventFilter:
    """Make a filter for `/messages`, `/context` or `/search` of decoded JSON. Raises BadJson, InvalidParam."""
    body = _convert(value, RoomEventFilterBody)
    body.check()
    return compile_event_filter(body)


def _room_filter(body: RoomFilterBody) -> RoomFilter:
    check_room_ids("rooms", body.rooms)
    check_room_ids("not_rooms", body.not_rooms)
    for part in (body.timeline, body.state, body.ephemeral, body.account_data):
        if part is not None:
            part.check()
    return RoomFilter(
        rooms=frozenset(body.rooms) if body.rooms is not None else None,
        not_rooms=frozenset(body.not_rooms or ()),
        include_leave=body.include_leave,
        timeline=compile_event_filter(body.timeline),
        state=compile_event_filter(body.state),
        ephemeral=compile_event_filter(body.ephemeral),
        account_data=compile_event_filter(body.account_data),
    )


def _convert(value: Any, body: type[T]) -> T:
    try:
        return msgspec.convert(value, body)
    except msgspec.ValidationError as error:
        raise BadJson(f"This is not a filter: {error}") from error
