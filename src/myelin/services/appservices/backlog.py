"""What is still to be sent to one application service."""

from collections import deque
from typing import NamedTuple

from myelin.bus.news import ReceiptMoved

MAX_WAITING = 2_000
"""Items kept in memory for one application service; beyond that it is served from the log."""

Device = tuple[str, str]
"""`(user_id, device_id)`."""


class WaitingEvent(NamedTuple):
    """An event of the log."""

    position: int
    room_id: str
    event_id: str


class Backlog:
    """Items in the order of the log; `until` is the position up to which everything was taken in."""

    def __init__(self, until: int) -> None:
        self.until = until
        self.events: deque[WaitingEvent] = deque()
        self.receipts: list[ReceiptMoved] = []
        self.typing: dict[str, None] = {}
        """Rooms."""
        self.presence: dict[str, None] = {}
        """Users."""
        self.to_device: dict[Device, None] = {}
        self.lists_changed: dict[str, None] = {}
        """Users whose devices changed, or who are met for the first time."""
        self.lists_left: dict[str, None] = {}
        """Users who share no room any more."""
        self.key_counts: dict[Device, None] = {}

    def __bool__(self) -> bool:
        """Whether there is anything to send."""
        return bool(
            self.events
            or self.receipts
            or self.typing
            or self.presence
            or self.to_device
            or self.lists_changed
            or self.lists_left
            or self.key_counts
        )

    @property
    def is_full(self) -> bool:
        """Whether so much waits that no more should be taken in."""
        return len(self.events) + len(self.receipts) + len(self.typing) + len(self.presence) >= MAX_WAITING

    @property
    def floor(self) -> int:
        """All events up to here were handed out, or need not be."""
        return self.events[0].position - 1 if self.events else self.until

    def add_list_change(self, user_id: str) -> None:
        """A user's devices are to be asked for again."""
        self.lists_left.pop(user_id, None)
        self.lists_changed[user_id] = None

    def add_list_left(self, user_id: str) -> None:
        """A user's devices are not of interest any more."""
        self.lists_changed.pop(user_id, None)
        self.lists_left[user_id] = None
