"""Keys that sign ID tokens, sealed."""

from typing import NamedTuple

from myelin.db.query import Store, query


class SealedKey(NamedTuple):
    """A private key as it lies in the database."""

    key_id: str
    algorithm: str
    sealed: str
    created_ts: int
    retired_ts: int | None


class TokenKeyStore(Store):
    """The signing keys of all processes."""

    @query("SELECT key_id, algorithm, sealed, created_ts, retired_ts FROM token_keys ORDER BY created_ts, key_id")
    async def keys(self) -> list[SealedKey]:
        """Every key that is still published."""

    @query(
        "INSERT INTO token_keys (key_id, algorithm, sealed, created_ts)"
        " SELECT :key_id, :algorithm, :sealed, :created_ts WHERE NOT EXISTS"
        " (SELECT 1 FROM token_keys WHERE algorithm = :algorithm AND retired_ts IS NULL)"
        " ON CONFLICT (key_id) DO NOTHING"
    )
    async def add(self, key_id: str, algorithm: str, sealed: str, created_ts: int) -> None:
        """Begin to sign with a key, unless there is one of the algorithm."""

    @query("UPDATE token_keys SET retired_ts = :now WHERE retired_ts IS NULL")
    async def retire(self, now: int) -> int:
        """Sign no more with today's keys; what they signed can still be checked."""

    @query("DELETE FROM token_keys WHERE retired_ts <= :before")
    async def forget_retired(self, before: int) -> int:
        """Publish old keys no more."""
