"""What other servers were answered to their transactions."""

from myelin.db.query import Store, query


class ReceivedTransactionStore(Store):
    """Keeps answers, so that a transaction that is sent again is not done again."""

    @query("SELECT response FROM received_transactions WHERE origin = :origin AND txn_id = :txn_id")
    async def response(self, origin: str, txn_id: str) -> str | None:
        """What was answered, as JSON."""

    @query(
        "INSERT INTO received_transactions (origin, txn_id, response, received_ts) "
        "VALUES (:origin, :txn_id, :response, :received_ts) ON CONFLICT DO NOTHING"
    )
    async def put(self, origin: str, txn_id: str, response: str, received_ts: int) -> None:
        """Note an answer."""

    @query("DELETE FROM received_transactions WHERE received_ts < :before")
    async def prune(self, before: int) -> int:
        """Forget old ones."""
