"""A filter for events, made ready to be asked about event after event."""

from collections.abc import Collection, Iterable
from typing import Final

from myelin.matrix.filters.bodies import EventFilterBody, RoomEventFilterBody
from myelin.matrix.globs import GlobSet

MAX_LIMIT: Final = 1000
"""The most events that a filter can ask for at once; a larger `limit` means this."""


class TypeMatcher:
    """A list of event types in which `*` stands for any characters."""

    __slots__ = ("_exact", "_globs", "_prefixes", "is_everything")

    def __init__(self, types: Iterable[str]) -> None:
        exact, prefixes, globs = set(), [], []
        for entry in types:
            if "*" not in entry:
                exact.add(entry)
            elif entry.index("*") == len(entry) - 1:
                prefixes.append(entry[:-1])
            else:
                globs.append(entry)
        self.is_everything = any(not prefix for prefix in prefixes)
        """Whether all types match."""
        self._exact = frozenset(exact)
        self._prefixes = tuple(prefixes)
        self._globs = GlobSet(globs, any_char=None) if globs else None

    def matches(self, event_type: str) -> bool:
        """Whether the type is in the list."""
        return (
            event_type in self._exact
            or event_type.startswith(self._prefixes)
            or (self._globs is not None and self._globs.matches(event_type) != 0)
        )


class EventFilter:
    """Says which events pass.

    `passes_all` and `passes_none` tell a caller that there is no need to ask. `limit` is None where the endpoint's own
    default applies. Not for use as a key: two filters are equal only if they are the same one.
    """

    __slots__ = (
        "_not_rooms", "_not_senders", "_not_types", "_related_senders", "_related_types", "_rooms", "_senders",
        "_types", "contains_url", "include_redundant_members", "lazy_load_members", "limit", "needs_relations",
        "passes_all", "passes_none", "unread_thread_notifications",
    )  # fmt: skip

    def __init__(self, body: EventFilterBody) -> None:
        room_body = body if isinstance(body, RoomEventFilterBody) else RoomEventFilterBody()
        self.limit = min(body.limit, MAX_LIMIT) if body.limit is not None else None
        self._types = _types(body.types)
        self._not_types = TypeMatcher(body.not_types) if body.not_types else None
        self._senders = _set(body.senders)
        self._not_senders = frozenset(body.not_senders or ())
        self._rooms = _set(room_body.rooms)
        self._not_rooms = frozenset(room_body.not_rooms or ())
        self._related_types = _set(room_body.related_by_rel_types)
        self._related_senders = _set(room_body.related_by_senders)
        self.contains_url = room_body.contains_url
        self.lazy_load_members = room_body.lazy_load_members
        self.include_redundant_members = room_body.include_redundant_members
        self.unread_thread_notifications = room_body.unread_thread_notifications
        self.needs_relations = self._related_types is not None or self._related_senders is not None
        """Whether `matches` must be told which events relate to the one in question."""
        wanted = (self._types, self._senders, self._rooms, self.contains_url)
        unwanted = (self._not_types, self._not_senders, self._not_rooms)
        self.passes_all = not self.needs_relations and not any(unwanted) and all(item is None for item in wanted)
        self.passes_none = (
            body.types == []
            or body.senders == []
            or room_body.rooms == []
            or (self._not_types is not None and self._not_types.is_everything)
        )

    def matches(
        self,
        event_type: str,
        sender: str | None = None,
        room_id: str | None = None,
        *,
        has_url: bool = False,
        related: Collection[tuple[str, str]] = (),
    ) -> bool:
        """Whether an event, presence update or piece of account data passes.

        `has_url` says whether its content has a `url`; `related` are relationship type and sender of the events that
        relate to it. What has no sender passes no list of senders.
        """
        if self.passes_all:
            return True
        return (
            (self._types is None or self._types.matches(event_type))
            and (self._not_types is None or not self._not_types.matches(event_type))
            and (self._senders is None or sender in self._senders)
            and sender not in self._not_senders
            and (room_id is None or self.allows_room(room_id))
            and (self.contains_url is None or self.contains_url is has_url)
            and (not self.needs_relations or any(self._wants_relation(*relation) for relation in related))
        )

    def allows_room(self, room_id: str) -> bool:
        """Whether any event of the room can pass."""
        return (self._rooms is None or room_id in self._rooms) and room_id not in self._not_rooms

    def _wants_relation(self, rel_type: str, sender: str) -> bool:
        return (self._related_types is None or rel_type in self._related_types) and (
            self._related_senders is None or sender in self._related_senders
        )


def _types(types: list[str] | None) -> TypeMatcher | None:
    if types is None:
        return None
    matcher = TypeMatcher(types)
    return None if matcher.is_everything else matcher


def _set(entries: list[str] | None) -> frozenset[str] | None:
    return frozenset(entries) if entries is not None else None


EVERYTHING: Final = EventFilter(RoomEventFilterBody())
"""The filter that an absent or empty one stands for."""


def compile_event_filter(body: EventFilterBody | None) -> EventFilter:
    """Make a filter ready; an absent or empty one becomes `EVERYTHING`."""
    if body is None or body in (EventFilterBody(), RoomEventFilterBody()):
        return EVERYTHING
    return EventFilter(body)
