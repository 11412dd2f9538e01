"""Filters of lists: which of a user's rooms are in one (MSC4186: `SlidingRoomFilter`)."""

from collections.abc import Callable, Set
from typing import NamedTuple

import msgspec

from myelin.services.sliding_sync.room_facts import CREATE, ENCRYPTION, NAME, UNKNOWN, Facts

INVITED = "invite"


class FiltersBody(msgspec.Struct, frozen=True):
    """A list's filters as they are sent."""

    is_dm: bool | None = None
    spaces: list[str] | None = None
    is_encrypted: bool | None = None
    is_invite: bool | None = None
    room_types: list[str | None] | None = None
    not_room_types: list[str | None] | None = None
    room_name_like: str | None = None
    tags: list[str] | None = None
    not_tags: list[str] | None = None


class RoomFilters(msgspec.Struct, frozen=True):
    """The same, comparable; None where a filter was not given."""

    is_dm: bool | None
    spaces: frozenset[str] | None
    is_encrypted: bool | None
    is_invite: bool | None
    room_types: frozenset[str | None] | None
    not_room_types: frozenset[str | None] | None
    name_like: str | None
    tags: frozenset[str] | None
    not_tags: frozenset[str] | None

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of events whose facts it depends on."""
        asked = (
            (CREATE, self.room_types is not None or self.not_room_types is not None),
            (ENCRYPTION, self.is_encrypted is not None),
            (NAME, self.name_like is not None),
        )
        return frozenset(kind for kind, is_asked in asked if is_asked)

    @property
    def asks_for_tags(self) -> bool:
        """Whether it depends on the user's tags."""
        return self.tags is not None or self.not_tags is not None


class Subject(NamedTuple):
    """A room as filters see it."""

    room_id: str
    membership: str
    facts: Facts
    is_dm: bool


def compile_filters(body: FiltersBody | None) -> RoomFilters | None:
    """Filters ready for use; None where every room passes."""
    if body is None or body == _NONE:
        return None
    return RoomFilters(
        body.is_dm,
        None if body.spaces is None else frozenset(body.spaces),
        body.is_encrypted,
        body.is_invite,
        None if body.room_types is None else frozenset(body.room_types),
        None if body.not_room_types is None else frozenset(body.not_room_types),
        body.room_name_like.casefold() if body.room_name_like else None,
        None if body.tags is None else frozenset(body.tags),
        None if body.not_tags is None else frozenset(body.not_tags),
    )


def passes(filters: RoomFilters, room: Subject, tags_of: Callable[[str], Set[str]], in_spaces: Set[str]) -> bool:
    """Whether a room is in a list; `in_spaces` are the rooms of the filters' spaces."""
    facts = room.facts
    if filters.is_dm is not None and filters.is_dm != room.is_dm:
        return False
    if filters.is_invite is not None and filters.is_invite != (room.membership == INVITED):
        return False
    if filters.is_encrypted is not None and filters.is_encrypted != facts.is_encrypted:
        return False
    if filters.not_room_types is not None and facts.room_type in filters.not_room_types:
        return False
    if filters.room_types is not None and facts.room_type not in filters.room_types:
        return False
    if filters.spaces is not None and room.room_id not in in_spaces:
        return False
    return _passes_name(filters, room) and (not filters.asks_for_tags or _passes_tags(filters, tags_of(room.room_id)))


def passes_plain(filters: RoomFilters) -> bool:
    """Whether a room is in a list of which nothing can be said but that the reader is in it."""
    return passes(filters, Subject("", "join", UNKNOWN, is_dm=False), lambda _: frozenset(), frozenset())


def _passes_name(filters: RoomFilters, room: Subject) -> bool:
    """Who is not in the room any more does not learn its present name."""
    if filters.name_like is None:
        return True
    return room.membership not in ("leave", "ban") and filters.name_like in room.facts.name.casefold()


def _passes_tags(filters: RoomFilters, tags: Set[str]) -> bool:
    if filters.not_tags is not None and not filters.not_tags.isdisjoint(tags):
        return False
    return filters.tags is None or not filters.tags.isdisjoint(tags)


_NONE = FiltersBody()
