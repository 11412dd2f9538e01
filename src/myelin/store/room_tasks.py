"""What is still to be done in all rooms of a user."""

from typing import NamedTuple

from myelin.db.query import Store, query


class RoomTask(NamedTuple):
    """Something to do, and since when."""

    user_id: str
    kind: str
    created_ts: int


class RoomTaskStore(Store):
    """Tasks that outlive the process."""

    @query(
        "INSERT INTO room_tasks (user_id, kind, created_ts, taken_ts) VALUES (:user_id, :kind, :now, 0) "
        "ON CONFLICT (user_id, kind) DO UPDATE SET created_ts = excluded.created_ts, taken_ts = 0"
    )
    async def add(self, user_id: str, kind: str, now: int) -> None:
        """Note that something is to be done, again if it is being done now."""

    @query(
        "UPDATE room_tasks SET taken_ts = :now WHERE taken_ts < :taken_before AND (user_id, kind) IN "
        "(SELECT user_id, kind FROM room_tasks WHERE taken_ts < :taken_before ORDER BY created_ts LIMIT 1) "
        "RETURNING user_id, kind, created_ts"
    )
    async def take(self, now: int, taken_before: int) -> RoomTask | None:
        """Begin with the oldest task that nobody has begun with lately."""

    @query("DELETE FROM room_tasks WHERE user_id = :user_id AND kind = :kind AND created_ts = :created_ts")
    async def done(self, user_id: str, kind: str, created_ts: int) -> int:
        """The task is done, unless it was noted again meanwhile."""


class GuestStore(Store):
    """Which users are guests."""

    @query("SELECT user_id FROM users WHERE user_id IN :user_ids AND kind = 'guest'")
    async def guests(self, user_ids: list[str]) -> list[str]:
        """Those of the users that are guests."""
