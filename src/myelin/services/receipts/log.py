"""Receipts read back from the log, for what another process wrote."""

from myelin.bus.news import ReceiptMoved
from myelin.db.connection import Database
from myelin.store.receipts import ReceiptStore


async def read_receipts(database: Database, first: int, last: int) -> list[tuple[int, ReceiptMoved]]:
    """Receipts that moved."""
    return [(row.position, ReceiptMoved(*row[1:])) for row in await ReceiptStore(database).between(first, last)]
