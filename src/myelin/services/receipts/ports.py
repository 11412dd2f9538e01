"""What receipts and read markers need of the rooms part."""

from typing import NamedTuple, Protocol


class EventPlace(NamedTuple):
    """Where an event stands in its room."""

    position: int
    """In the log; negative for backfilled events."""
    thread_id: str
    """The root of the event's thread, or `main`."""


class ReadableRooms(Protocol):
    """Tells what a user can have read."""

    async def is_joined(self, room_id: str, user_id: str) -> bool:
        """Whether the user is in the room now."""
        ...

    async def event_place(self, room_id: str, event_id: str) -> EventPlace | None:
        """Where an event of this room stands, or None where it is none of the room's timeline."""
        ...
