"""Which threads users subscribed to, or unsubscribed from."""

from typing import NamedTuple

from myelin.db.query import Store, query, statement
from myelin.db.sql import Statement


class ThreadSubscription(NamedTuple):
    """A user's word on a thread, and the position in the log at which it was last changed."""

    position: int
    user_id: str
    room_id: str
    thread_id: str
    is_subscribed: bool
    is_automatic: bool


_COLUMNS = "position, user_id, room_id, thread_id, is_subscribed, is_automatic"


class ThreadSubscriptionStore(Store):
    """Reads subscriptions."""

    @query(
        f"SELECT {_COLUMNS} FROM thread_subscriptions"
        " WHERE user_id = :user_id AND room_id = :room_id AND thread_id = :thread_id"
    )
    async def one(self, user_id: str, room_id: str, thread_id: str) -> ThreadSubscription | None:
        """What a user said of one thread."""

    @query(
        f"SELECT {_COLUMNS} FROM thread_subscriptions WHERE user_id = :user_id"
        " AND position > :after AND position < :before ORDER BY position DESC LIMIT :limit"
    )
    async def newest(self, user_id: str, after: int, before: int, limit: int) -> list[ThreadSubscription]:
        """What a user last changed between two positions, neither of them included, newest first."""

    @query("SELECT coalesce(max(position), 0) FROM thread_subscriptions WHERE user_id = :user_id")
    async def latest(self, user_id: str) -> int:
        """The position of a user's last change; 0 where there is none."""

    @query(
        "SELECT user_id FROM thread_subscriptions"
        " WHERE room_id = :room_id AND thread_id = :thread_id AND is_subscribed = 1"
    )
    async def subscribers(self, room_id: str, thread_id: str) -> list[str]:
        """Who is subscribed to a thread."""

    @query(
        f"SELECT {_COLUMNS} FROM thread_subscriptions WHERE position >= :first AND position <= :last ORDER BY position"
    )
    async def between(self, first: int, last: int) -> list[ThreadSubscription]:
        """What was changed last in a range of positions, both ends included."""


@statement(
    "INSERT INTO thread_subscriptions (user_id, room_id, thread_id, is_subscribed, is_automatic, position)"
    " VALUES (:user_id, :room_id, :thread_id, :is_subscribed, :is_automatic, :position)"
    " ON CONFLICT (user_id, room_id, thread_id) DO UPDATE SET is_subscribed = excluded.is_subscribed,"
    " is_automatic = excluded.is_automatic, position = excluded.position"
)
def put_thread_subscription(
    user_id: str, room_id: str, thread_id: str, is_subscribed: int, is_automatic: int, position: int
) -> Statement:
    """Set a user's word on a thread."""
