"""What memberships tell to the parts above them."""

from typing import Protocol


class LeaveCheck(Protocol):
    """Knows of rooms that users may not leave as they like."""

    async def check_may_leave(self, user_id: str, room_id: str, membership: str) -> None:
        """Raises MatrixError where the user, who has this membership, must not leave the room."""
        ...


class LeaveChecks(list[LeaveCheck]):
    """Parts that are built later add themselves."""

    async def check(self, user_id: str, room_id: str, membership: str | None) -> None:
        """Raises what the first check raises that does not let the user go."""
        if membership is not None:
            for check in self:
                await check.check_may_leave(user_id, room_id, membership)


class RoomMove(Protocol):
    """Hears of users who went from a room to the one that replaces it."""

    async def moved(self, user_id: str, old_room_id: str, new_room_id: str) -> None:
        """The user is in the new room; the old room's tombstone points there."""
        ...


class RoomMoves(list[RoomMove]):
    """Parts that are built later add themselves."""
