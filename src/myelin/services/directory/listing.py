"""Parts of lists of public rooms, and what is wanted of them."""

from collections.abc import Sequence

import msgspec

from myelin.services.directory.public_room import PublicRoom


class RoomFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which rooms to list."""

    generic_search_term: str | None = None
    room_types: tuple[str | None, ...] | None = None

    def matches(self, room: PublicRoom, haystack: str, term: str) -> bool:
        """Whether a room is wanted; the folded `term` is looked for in `haystack`."""
        if self.room_types is not None and room.room_type not in self.room_types:
            return False
        return term in haystack


class Page(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A part of a list."""

    chunk: Sequence[PublicRoom]
    total_room_count_estimate: int
    next_batch: str | None = None
    prev_batch: str | None = None


EVERYTHING = RoomFilter()
