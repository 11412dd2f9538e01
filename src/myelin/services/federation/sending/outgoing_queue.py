"""What is to be sent to other servers: our events by themselves, EDUs as they are handed in."""

from collections.abc import Iterable, Mapping
from typing import Any


class OutgoingQueue:
    """The face of sending for everybody else."""

    async def put_edu(
        self, destinations: Iterable[str], edu_type: str, content: Mapping[str, Any], *, key: str | None = None
    ) -> None:
        """Send an EDU that is worth nothing tomorrow; one that waits under the same key is replaced by it."""
        raise NotImplementedError

    async def forward(self, room_id: str, event_id: str, *, origin: str) -> None:
        """Send an event of `origin`, written to the room just now, to the other servers that are in the room.

        It is on its way for good when this returns, whatever becomes of the process.
        """
        raise NotImplementedError

    def heard_from(self, server_name: str) -> None:
        """The server speaks to us: what waits for it is tried at once."""
        raise NotImplementedError
