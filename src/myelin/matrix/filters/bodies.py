"""The filter as clients write it (spec: `Filter`, `RoomFilter`, `RoomEventFilter`, `EventFilter`), and its limits."""

from collections.abc import Iterable
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from myelin.matrix.errors import InvalidParam
from myelin.matrix.identifiers import is_room_id, is_user_id

MAX_FILTER_ENTRIES: Final = 1000
"""Entries of one list of a filter."""
MAX_ENTRY_LENGTH: Final = 255
"""Characters of an event type or property path in a filter."""

MAX_WILDCARD_CHARACTERS: Final = 2048
"""Length of all entries of a list of event types together that have a wildcard."""

_Entry = Annotated[str, Meta(max_length=MAX_ENTRY_LENGTH)]
_Entries = Annotated[list[_Entry], Meta(max_length=MAX_FILTER_ENTRIES)]
_Ids = Annotated[list[str], Meta(max_length=MAX_FILTER_ENTRIES)]
_Limit = Annotated[int, Meta(ge=0)]


class EventFilterBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which presence updates or account data to include."""

    limit: _Limit | None = None
    """The spec wants more than 0, clients and tests also send 0: they want no events."""
    types: _Entries | None = None
    not_types: _Entries | None = None
    senders: _Ids | None = None
    not_senders: _Ids | None = None

    def check(self) -> None:
        """Raise InvalidParam for something that is no user ID where there must be one, or too many wildcards."""
        _check_wildcards("types", self.types)
        _check_wildcards("not_types", self.not_types)
        _check_user_ids("senders", self.senders)
        _check_user_ids("not_senders", self.not_senders)


class RoomEventFilterBody(EventFilterBody, frozen=True, omit_defaults=True):
    """Which events of rooms to include."""

    rooms: _Ids | None = None
    not_rooms: _Ids | None = None
    contains_url: bool | None = None
    lazy_load_members: bool = False
    include_redundant_members: bool = False
    unread_thread_notifications: bool = False
    related_by_rel_types: _Entries | None = None
    related_by_senders: _Ids | None = None

    def check(self) -> None:
        """Raise InvalidParam for something that is no user or room ID, or for too many wildcards."""
        super().check()
        _check_user_ids("related_by_senders", self.related_by_senders)
        check_room_ids("rooms", self.rooms)
        check_room_ids("not_rooms", self.not_rooms)


class RoomFilterBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which rooms to include, and what of them."""

    rooms: _Ids | None = None
    not_rooms: _Ids | None = None
    include_leave: bool = False
    timeline: RoomEventFilterBody | None = None
    state: RoomEventFilterBody | None = None
    ephemeral: RoomEventFilterBody | None = None
    account_data: RoomEventFilterBody | None = None


class FilterBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """The body of `POST /user/{userId}/filter`."""

    event_fields: _Entries | None = None
    event_format: Literal["client", "federation"] = "client"
    presence: EventFilterBody | None = None
    account_data: EventFilterBody | None = None
    room: RoomFilterBody | None = None


def check_room_ids(name: str, room_ids: Iterable[str] | None) -> None:
    """Raise InvalidParam unless all are room IDs."""
    if not all(map(is_room_id, room_ids or ())):
        raise InvalidParam(f"{name} must hold room IDs")


def _check_wildcards(name: str, types: Iterable[str] | None) -> None:
    if sum(len(entry) for entry in types or () if "*" in entry) > MAX_WILDCARD_CHARACTERS:
        raise InvalidParam(f"{name} has more than {MAX_WILDCARD_CHARACTERS} characters of entries with wildcards")


def _check_user_ids(name: str, user_ids: Iterable[str] | None) -> None:
    if not all(map(is_user_id, user_ids or ())):
        raise InvalidParam(f"{name} must hold user IDs")
