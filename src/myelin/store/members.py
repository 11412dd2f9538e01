"""Members of rooms in the order in which they came."""

from typing import NamedTuple

from myelin.db.query import Store, query
from myelin.store.state import OPEN


class Present(NamedTuple):
    """Somebody who is joined or invited."""

    room_id: str
    user_id: str


_CURRENT = f"type = 'm.room.member' AND to_pos = {OPEN}"
_PRESENT = "membership IN ('join', 'invite')"


class MemberStore(Store):
    """Reads members."""

    @query(
        f"SELECT state_key FROM state WHERE room_id = :room_id AND {_CURRENT} AND {_PRESENT} "
        "ORDER BY from_pos LIMIT :limit"
    )
    async def first_present(self, room_id: str, limit: int) -> list[str]:
        """The first who are joined or invited."""

    @query(
        f"SELECT state_key FROM state WHERE room_id = :room_id AND {_CURRENT} AND NOT {_PRESENT} "
        "ORDER BY from_pos LIMIT :limit"
    )
    async def first_absent(self, room_id: str, limit: int) -> list[str]:
        """The first who are not."""

    @query(
        f"SELECT room_id, state_key FROM state WHERE room_id IN :room_ids AND {_CURRENT} AND {_PRESENT} "
        "ORDER BY from_pos"
    )
    async def present(self, room_ids: list[str]) -> list[Present]:
        """All who are joined to some rooms or invited, the first ones first."""
