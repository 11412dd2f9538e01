"""What presence needs of other parts."""

from typing import Protocol


class Acquaintances(Protocol):
    """Tells who may know of whom."""

    async def share_room(self, user_id: str, other: str) -> bool:
        """Whether both users are in one room now."""
        ...
