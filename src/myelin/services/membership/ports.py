"""What memberships tell to the parts above them."""

from typing import Protocol


class RoomMove(Protocol):
    """Hears of users who went from a room to the one that replaces it."""

    async def moved(self, user_id: str, old_room_id: str, new_room_id: str) -> None:
        """The user is in the new room; the old room's tombstone points there."""
        ...


class RoomMoves(list[RoomMove]):
    """Parts that are built later add themselves."""
