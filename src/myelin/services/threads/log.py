"""Thread subscriptions read back from the log, for what another process wrote."""

from myelin.bus.news import ThreadSubscriptionChanged
from myelin.db.connection import Database
from myelin.store.thread_subscriptions import ThreadSubscriptionStore


async def read_thread_subscriptions(
    database: Database, first: int, last: int
) -> list[tuple[int, ThreadSubscriptionChanged]]:
    """Subscriptions that were made, changed or ended."""
    rows = await ThreadSubscriptionStore(database).between(first, last)
    return [
        (row.position, ThreadSubscriptionChanged(row.user_id, row.room_id, row.thread_id, row.is_subscribed))
        for row in rows
    ]
