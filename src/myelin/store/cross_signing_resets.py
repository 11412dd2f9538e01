"""Users who let an app replace their cross-signing keys."""

from myelin.db.query import Store, query


class CrossSigningResetStore(Store):
    """Permissions, each for a short time."""

    @query(
        "INSERT INTO cross_signing_resets (user_id, expires_ts) VALUES (:user_id, :expires_ts)"
        " ON CONFLICT (user_id) DO UPDATE SET expires_ts = excluded.expires_ts"
    )
    async def allow(self, user_id: str, expires_ts: int) -> None:
        """The user agrees."""

    @query("DELETE FROM cross_signing_resets WHERE user_id = :user_id AND expires_ts > :now")
    async def take(self, user_id: str, now: int) -> int:
        """Use the permission up; 0 where there is none."""

    @query("DELETE FROM cross_signing_resets WHERE expires_ts <= :now")
    async def forget_expired(self, now: int) -> int:
        """Forget what nobody used."""
