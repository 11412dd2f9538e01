"""What typing notifications need of the rooms part."""

from typing import Protocol


class JoinedRooms(Protocol):
    """Tells who is in a room."""

    async def is_joined(self, room_id: str, user_id: str) -> bool:
        """Whether the user is in the room now."""
        ...
