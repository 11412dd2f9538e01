"""What users say about what they are doing."""

from myelin.db.query import Store, query


class PresenceStatusStore(Store):
    """The status messages, which outlive a restart."""

    @query("SELECT status_msg FROM presence_status WHERE user_id = :user_id")
    async def status_msg(self, user_id: str) -> str | None:
        """A user's status message."""

    @query(
        "INSERT INTO presence_status (user_id, status_msg) VALUES (:user_id, :status_msg)"
        " ON CONFLICT (user_id) DO UPDATE SET status_msg = excluded.status_msg"
    )
    async def put(self, user_id: str, status_msg: str) -> None:
        """Set a user's status message."""

    @query("DELETE FROM presence_status WHERE user_id = :user_id")
    async def delete(self, user_id: str) -> None:
        """Remove a user's status message."""
