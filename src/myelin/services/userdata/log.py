"""Account data read back from the log, for what another process wrote."""

from myelin.bus.news import AccountDataChanged
from myelin.db.connection import Database
from myelin.store.account_data import AccountDataStore


async def read_account_data(database: Database, first: int, last: int) -> list[tuple[int, AccountDataChanged]]:
    """Account data, tags, read markers and push rules that changed."""
    rows = await AccountDataStore(database).between(first, last)
    return [(row.position, AccountDataChanged(row.user_id, row.room_id, row.type, row.json)) for row in rows]
