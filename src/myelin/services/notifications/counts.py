"""What is unread of one room for one user, by thread."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from myelin.services.receipts.receipts import MAIN
from myelin.services.receipts.room_receipts import UNTHREADED


class Mark(NamedTuple):
    """What an event means for its reader's counts."""

    position: int
    thread: str
    is_own: bool
    """The reader sent it: whoever writes in a thread has read it."""
    highlight: bool


class Counts:
    """Counts by thread root; `main` is the room's own timeline."""

    __slots__ = ("by_thread", "changed_at", "entered", "highlights", "made_at", "read", "until")

    def __init__(self, made_at: int, read: Mapping[str, int], entered: int) -> None:
        """`read` is how far the reader has read; what is not after the event by which they `entered` does not count."""
        self.entered = entered
        self.made_at = made_at
        """Where the log stood when the counting began."""
        self.until = entered
        """Events up to here are counted."""
        self.changed_at = 0
        """The position of what changed the counts last."""
        self.read = {**read, UNTHREADED: max(entered, read.get(UNTHREADED, entered))}
        self.by_thread: dict[str, int] = {}
        self.highlights: dict[str, int] = {}

    @property
    def total(self) -> int:
        """Unread events of all threads."""
        return sum(self.by_thread.values())

    @property
    def highlight_total(self) -> int:
        """Those among them that are to be highlighted."""
        return sum(self.highlights.values())

    def same_as(self, other: "Counts") -> bool:
        """Whether a reader sees no difference."""
        return self.by_thread == other.by_thread and self.highlights == other.highlights

    def add(self, marks: Iterable[Mark]) -> None:
        """Count events, oldest first."""
        for mark in marks:
            if mark.is_own:
                self._read_all_of(mark.thread, mark.position)
            elif mark.position > self.read[UNTHREADED] and mark.position > self.read.get(mark.thread, 0):
                self.by_thread[mark.thread] = self.by_thread.get(mark.thread, 0) + 1
                if mark.highlight:
                    self.highlights[mark.thread] = self.highlights.get(mark.thread, 0) + 1
                self.changed_at = mark.position

    def _read_all_of(self, thread: str, position: int) -> None:
        self.read[thread] = position
        if self.by_thread.pop(thread, 0):
            self.highlights.pop(thread, None)
            self.changed_at = position

    def as_json(self, *, threads: bool) -> dict[str, object]:
        """The members of a room's section in `/sync`; with `threads` each thread's count by itself."""
        if not threads:
            return {"unread_notifications": _pair(self.total, self.highlight_total)}
        main = _pair(self.by_thread.get(MAIN, 0), self.highlights.get(MAIN, 0))
        others = {
            root: _pair(count, self.highlights.get(root, 0)) for root, count in self.by_thread.items() if root != MAIN
        }
        return {"unread_notifications": main, "unread_thread_notifications": others}


def _pair(count: int, highlights: int) -> dict[str, int]:
    return {"notification_count": count, "highlight_count": highlights}
