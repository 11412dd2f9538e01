"""One server that something is to be sent to, for as long as there is something."""

import asyncio
from collections import deque
from collections.abc import Sequence
from itertools import islice

from myelin.services.federation.sending.fleeting_edus import FleetingEdus
from myelin.services.federation.sending.outgoing_event import OutgoingEvent
from myelin.services.federation.sending.transaction import MAX_TRANSACTION_BYTES

MAX_QUEUED = 1_000
"""Events in memory for one server; beyond this it is caught up with from the log."""


class Destination:
    """What waits for a server.

    A server that keeps up has its events in a queue. One that is behind has nothing in memory but which rooms it lacks
    something of that is not noted in the database yet.
    """

    __slots__ = (
        "careful", "edus_at", "failures", "fleeting", "has_edus", "is_behind", "is_failing", "is_noted",
        "is_under_way", "missed", "noted", "queue", "retry_at", "server_name", "task", "tried_at", "woken",
    )  # fmt: skip

    def __init__(self, server_name: str) -> None:
        self.server_name = server_name
        self.queue: deque[OutgoingEvent] = deque()
        self.fleeting = FleetingEdus()
        self.has_edus = False
        """Whether durable EDUs may wait in the database."""
        self.is_under_way = False
        """Whether a transaction was begun, and is in the database."""
        self.is_behind = False
        self.missed: dict[str, int] = {}
        """Of rooms that are not noted yet the position of the first event that is missing."""
        self.noted: set[str] = set()
        """Rooms that need not be noted again."""
        self.is_noted = False
        """Whether rooms are noted in the database for it."""
        self.careful = 0
        """For so many transactions each is to hold only one thing, since the server refused something."""
        self.is_failing = False
        self.failures = 0
        self.retry_at = 0.0
        """Not before, in seconds that never run backwards."""
        self.tried_at = 0.0
        self.edus_at = 0.0
        """When a transaction without events was sent last."""
        self.task: asyncio.Task[None] | None = None
        self.woken = asyncio.Event()

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits for it."""
        return not (
            self.queue
            or self.is_behind
            or self.is_under_way
            or self.has_edus
            or self.missed
            or self.is_noted
            or self.fleeting
            or self.is_failing
        )

    def add(self, event: OutgoingEvent) -> None:
        """The server is to have an event."""
        if self.is_behind:
            if event.room_id not in self.noted:
                self.missed.setdefault(event.room_id, event.position)
            return
        self.queue.append(event)
        if len(self.queue) > MAX_QUEUED:
            self.fall_behind()

    def fall_behind(self) -> None:
        """Hold nothing in memory any more but which rooms lack something."""
        self.is_behind = True
        for event in self.queue:
            self.missed.setdefault(event.room_id, event.position)
        self.queue.clear()
        self.fleeting.clear()

    def first(self, limit: int) -> list[OutgoingEvent]:
        """The events that the server is sent next; they stay in the queue until it is written down that they are."""
        found: list[OutgoingEvent] = []
        size = 0
        for event in islice(self.queue, limit):
            size += len(event.json)
            if size > MAX_TRANSACTION_BYTES and found:
                break
            found.append(event)
        return found

    def drop(self, events: Sequence[OutgoingEvent]) -> None:
        """Events from the head of the queue need not wait any more."""
        for event in events:
            if self.queue and self.queue[0] is event:
                self.queue.popleft()

    def unnoted(self) -> dict[str, int]:
        """Rooms of which the server lacks something, and from which position on, as far as that is not noted."""
        missing = dict(self.missed)
        for event in self.queue:
            if event.room_id not in self.noted:
                missing.setdefault(event.room_id, event.position)
        return missing
