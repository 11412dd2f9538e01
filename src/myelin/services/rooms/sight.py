"""What one user can see of one room: the stretches of the log in which they were members, and what was visible then."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from myelin.matrix.history_visibility import HistoryVisibility, Standing, user_may_see, user_may_see_message
from myelin.services.rooms.timeline import BEGINNING, TimelineEvent
from myelin.store.state import OPEN

OPEN_HISTORIES = frozenset({HistoryVisibility.SHARED, HistoryVisibility.WORLD_READABLE})
"""Who is joined sees all that was sent under these."""


class VisibleFrom(NamedTuple):
    """A room's history visibility, from the event at a position on."""

    position: int
    visibility: HistoryVisibility


class History:
    """All that a room's history visibility ever was."""

    __slots__ = ("entries", "is_open")

    def __init__(self, entries: Iterable[VisibleFrom]) -> None:
        """`entries` are in the order of the log."""
        self.entries = tuple(entries)
        self.is_open = all(entry.visibility in OPEN_HISTORIES for entry in self.entries)
        """Whether who is joined sees everything: it was always shared or world readable."""

    def before(self, position: int) -> HistoryVisibility:
        """The history visibility that an event at a position is under."""
        index = bisect_right(self.entries, position - 1, key=_position)
        return self.entries[index - 1].visibility if index else HistoryVisibility.SHARED


class MembershipFrom(NamedTuple):
    """A user's membership of a room, from the event at one position to the one at another."""

    position: int
    until: int
    membership: str | None


class Sight:
    """Decides for each event of a room whether its reader may see it. Asks nobody."""

    __slots__ = ("_memberships", "_span", "history", "joined_since", "last_join_ended", "sees_all", "user_id")

    def __init__(self, user_id: str, history: History, memberships: Sequence[MembershipFrom]) -> None:
        """`memberships` are in the order of the log."""
        self.user_id = user_id
        self.history = history
        self._memberships = memberships
        self._span: tuple[int, int] | None = None
        joins = [m for m in memberships if m.membership == "join"]
        self.last_join_ended = joins[-1].until if joins else None
        """The position of the event that ended the user's last stay, `OPEN` while they are in the room, None: never."""
        self.joined_since = _start_of_stay(memberships)
        """The position of the event by which the user, who is in the room, came in; `OPEN` if they are not."""
        self.sees_all = history.is_open and self.last_join_ended == OPEN
        """Whether no event of the room needs to be looked at one by one."""

    def may_see(self, event: TimelineEvent) -> bool:
        """Whether the user may see an event."""
        if self.sees_all or event.position >= self.joined_since:
            return True
        return user_may_see(
            event.pdu, self.user_id, self._before(event.position), joined_later=self._joined_after(event.position)
        )

    @property
    def span(self) -> tuple[int, int]:
        """The lowest and the highest position at which the user may see anything; everything there need not be so."""
        if self.sees_all:
            return BEGINNING, OPEN
        if self._span is None:
            self._span = self._find_span()
        return self._span

    def _find_span(self) -> tuple[int, int]:
        """What may be seen changes at these positions only, and the events that stand there are special cases."""
        changes = {entry.position for entry in self.history.entries}
        changes.update(m.position for m in self._memberships)
        changes.update(m.until for m in self._memberships if m.until != OPEN)
        seen = [p for p in sorted(changes) if any(map(self.may_see_at, (p - 1, p, p + 1)))]
        if not changes:
            return (BEGINNING, OPEN) if self.may_see_at(0) else (0, BEGINNING)
        if not seen:
            return 0, BEGINNING
        lowest = BEGINNING if self.may_see_at(min(changes) - 1) else seen[0]
        return lowest, OPEN if self.may_see_at(max(changes) + 1) else seen[-1]

    def visible(self, events: Sequence[TimelineEvent]) -> list[TimelineEvent]:
        """Those of the events that the user may see."""
        if self.sees_all:
            return list(events)
        return [event for event in events if self.may_see(event)]

    def may_see_at(self, position: int) -> bool:
        """Whether the user may see a message that stands at a position."""
        if self.sees_all or position >= self.joined_since:
            return True
        return user_may_see_message(self._before(position), joined_later=self._joined_after(position))

    def membership_at(self, event: TimelineEvent) -> str:
        """The user's membership at an event, the event itself included; `leave` where there was none."""
        if event.position >= self.joined_since:
            return "join"
        return self._membership_before(event.position + 1) or "leave"

    @property
    def membership_now(self) -> str | None:
        """The user's membership, None where there never was any."""
        return self._memberships[-1].membership if self._memberships else None

    def _before(self, position: int) -> Standing:
        return Standing(self.history.before(position), self._membership_before(position))

    def _joined_after(self, position: int) -> bool:
        return self.last_join_ended is not None and self.last_join_ended > position

    def _membership_before(self, position: int) -> str | None:
        index = bisect_right(self._memberships, position - 1, key=_position)
        if not index:
            return None
        found = self._memberships[index - 1]
        return found.membership if found.until >= position else None


def _position(entry: VisibleFrom | MembershipFrom) -> int:
    return entry[0]


def _start_of_stay(memberships: Sequence[MembershipFrom]) -> int:
    """Where the joins that last until now begin: a change of name does not begin a new stay."""
    since = OPEN
    for entry in reversed(memberships):
        if entry.membership != "join" or entry.until != since:
            break
        since = entry.position
    return since
