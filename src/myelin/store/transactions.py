"""What clients asked for once under a transaction ID."""

from hashlib import blake2b

from myelin.db.claims import Claim, ClaimSql
from myelin.db.query import Store, query

KEY_BYTES = 16


class TransactionStore(Store):
    """Reads earlier results."""

    @query("SELECT result FROM transactions WHERE user_id = :user_id AND key = :key")
    async def result(self, user_id: str, key: bytes) -> str | None:
        """What was answered to this transaction the first time."""

    @query("DELETE FROM transactions WHERE created_ts < :before")
    async def prune(self, before: int) -> int:
        """Forget old transactions."""


_INSERT_ALL = (
    "INSERT INTO transactions (user_id, key, result, created_ts) SELECT * FROM unnest(:user_id::text[], "
    ":key::bytea[], :result::text[], :created_ts::bigint[]) ON CONFLICT DO NOTHING RETURNING user_id, key"
)
CLAIM_TRANSACTION = ClaimSql(
    "CLAIM_TRANSACTION",
    single="INSERT INTO transactions (user_id, key, result, created_ts) VALUES (:user_id, :key, :result, :created_ts) "
    "ON CONFLICT DO NOTHING RETURNING user_id, key",
    bulk=_INSERT_ALL,
    together=_INSERT_ALL,
    key=2,
    undo="DELETE FROM transactions WHERE user_id = :user_id AND key = :key",
)
"""Once for each `(user_id, key)`: `(user_id, key, result, created_ts)`."""


def transaction_key(*scope: str) -> bytes:
    """A key for a transaction ID in its scope: device, endpoint, room, ID."""
    return blake2b("\0".join(scope).encode(), digest_size=KEY_BYTES).digest()


def claim_transaction(user_id: str, key: bytes, result: str, now_ms: int) -> Claim:
    """The claim that goes with a write."""
    return Claim(CLAIM_TRANSACTION, (user_id, key, result, now_ms))
