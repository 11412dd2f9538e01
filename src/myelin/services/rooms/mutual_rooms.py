"""Which rooms two users share (spec: mutual_rooms.yaml)."""

from typing import NamedTuple

from myelin.db.connection import Database
from myelin.matrix.errors import InvalidParam
from myelin.matrix.identifiers import is_room_id, is_user_id
from myelin.store.state import StateStore

PAGE_SIZE = 500
"""Rooms in one answer."""


class MutualPage(NamedTuple):
    """Some of the rooms, how many there are in all, and where the next page begins."""

    room_ids: list[str]
    total: int
    next_batch: str | None


class MutualRooms:
    """Says where two users meet."""

    def __init__(self, database: Database, *, page_size: int = PAGE_SIZE) -> None:
        self._state = StateStore(database)
        self._page_size = page_size

    async def page(self, user_id: str, other: str, since: str | None) -> MutualPage:
        """Rooms that both are joined to, by ID; `since` is the last ID of the page before. Raises InvalidParam."""
        if not is_user_id(other):
            raise InvalidParam("user_id is not a user ID")
        if other == user_id:
            raise InvalidParam("user_id is your own")
        if since is not None and not is_room_id(since):
            raise InvalidParam("from is no token of this endpoint")
        shared = sorted(await self._joined(user_id) & await self._joined(other))
        left = shared if since is None else [room_id for room_id in shared if room_id > since]
        page = left[: self._page_size]
        return MutualPage(page, len(shared), page[-1] if len(left) > len(page) else None)

    async def _joined(self, user_id: str) -> set[str]:
        return {m.room_id for m in await self._state.memberships_of(user_id) if m.membership == "join"}
