"""What other servers were answered to their transactions, and what of these is still to be done."""

from typing import NamedTuple

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


class SlowEvents(NamedTuple):
    """The events of a transaction that was answered before they were taken in; `json` is a list."""

    origin: str
    txn_id: str
    json: bytes


class SlowEventStore(Store):
    """Keeps what is still to be done."""

    @query("INSERT INTO slow_events (origin, txn_id, json) VALUES (:origin, :txn_id, :json) ON CONFLICT DO NOTHING")
    async def put(self, origin: str, txn_id: str, json: bytes) -> None:
        """Note events."""

    @query("DELETE FROM slow_events WHERE origin = :origin AND txn_id = :txn_id")
    async def forget(self, origin: str, txn_id: str) -> None:
        """They are done."""

    @query("SELECT origin, txn_id, json FROM slow_events ORDER BY origin, txn_id")
    async def all(self) -> list[SlowEvents]:
        """All there are."""
