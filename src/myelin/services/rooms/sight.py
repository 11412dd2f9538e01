"""What one user can see of one room: the stretches of the log in which they were members, and what was visible then."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from myelin.matrix.history_visibility import HistoryVisibility, Standing, user_may_see, user_may_see_message
from myelin.services.rooms.timeline import BEGINNING, TimelineEvent
from myelin.store.state import OPEN

OPEN_HISTORIES = frozenset({HistoryVisibility.SHARED, HistoryVisibility.WORLD_READABLE})
"""Who is joined sees all that was sent under these."""

NOBODY: Mapping[str, int] = {}


class VisibleFrom(NamedTuple):
    """A room's history visibility, from the event at a position on."""

    position: int
    visibility: HistoryVisibility


class History:
    """All that a room's history visibility ever was."""

    __slots__ = ("entries", "is_open", "reach")

    def __init__(self, entries: Iterable[VisibleFrom], reach: int = BEGINNING) -> None:
        """`entries` are in the order of the log."""
        self.entries = tuple(entries)
        self.reach = reach
        """Nothing is known of events below this position: they came when this had been read, by backfilling."""
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

    __slots__ = (
        "_memberships", "_stretches", "erased", "history", "joined_since", "last_join_ended", "sees_all", "user_id",
    )  # fmt: skip

    def __init__(
        self, user_id: str, history: History, memberships: Sequence[MembershipFrom], erased: Mapping[str, int] = NOBODY
    ) -> None:
        """`memberships` are in the order of the log; `erased` are users, and since which position."""
        self.user_id = user_id
        self.history = history
        self._memberships = memberships
        self._stretches: Sequence[tuple[int, int]] | None = None
        joins = [m for m in memberships if m.membership == "join"]
        self.last_join_ended = joins[-1].until if joins else None
        """The position of the event that ended the user's last stay, `OPEN` while they are in the room, None: never."""
        self.joined_since = _start_of_stay(memberships)
        """The position of the event by which the user, who is in the room, came in; `OPEN` if they are not."""
        self.erased = {user: at for user, at in erased.items() if self.joined_since >= at}
        """Erased users whose events may have to be hidden: those who were gone when the reader came in."""
        self.sees_all = history.is_open and self.last_join_ended == OPEN and not self.erased
        """Whether no event of the room needs to be looked at one by one."""

    def may_see(self, event: TimelineEvent) -> bool:
        """Whether the user may see an event."""
        if event.position < self.history.reach:
            return False
        if self.sees_all or event.position >= self.joined_since:
            return True
        return user_may_see(
            event.pdu, self.user_id, self._before(event.position), joined_later=self._joined_after(event.position)
        )

    def hides(self, sender: str, position: int) -> bool:
        """Whether an event's sender was erased before the user came in, and never was seen by them."""
        at = self.erased.get(sender)
        return at is not None and not any(
            m.membership == "join" and m.position < at and m.until > position for m in self._memberships
        )

    @property
    def stretches(self) -> Sequence[tuple[int, int]]:
        """Where the user may see anything, in the order of the log, both ends included; nothing outside is visible."""
        if self.sees_all:
            return ((self.history.reach, OPEN),)
        if self._stretches is None:
            self._stretches = self._find_stretches()
        return self._stretches

    def _find_stretches(self) -> list[tuple[int, int]]:
        """What may be seen changes at a few positions only; events that stand at these may be special cases."""
        changes = {entry.position for entry in self.history.entries}
        changes.update(m.position for m in self._memberships)
        changes.update(m.until for m in self._memberships if m.until != OPEN)
        found: list[tuple[int, int]] = []
        before = self.history.reach
        changes = {at for at in changes if at > before}
        for at in sorted(changes):
            if before < at and self.may_see_at(at - 1):
                _extend(found, before, at - 1)
            if self.may_see_at(at) or self.may_see_at(at + 1):
                _extend(found, at, at)
            before = at + 1
        if self.may_see_at(max(before, 0)):
            _extend(found, before, OPEN)
        return found

    def visible(self, events: Iterable[TimelineEvent]) -> list[TimelineEvent]:
        """Those of the events that the user may see."""
        if self.sees_all:
            reach = self.history.reach
            return [event for event in events if event.position >= reach]
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


def _extend(stretches: list[tuple[int, int]], first: int, last: int) -> None:
    """Add a stretch, to the one before it where they touch."""
    if stretches and stretches[-1][1] == first - 1:
        first = stretches.pop()[0]
    stretches.append((first, last))


def _start_of_stay(memberships: Sequence[MembershipFrom]) -> int:
    """Where the joins that last until now begin: a change of name does not begin a new stay."""
    since = OPEN
    for entry in reversed(memberships):
        if entry.membership != "join" or entry.until != since:
            break
        since = entry.position
    return since
