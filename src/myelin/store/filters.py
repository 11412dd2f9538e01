"""Filters that clients uploaded."""

from myelin.db.query import Store, query


class FilterStore(Store):
    """Filters by user."""

    @query(
        "INSERT INTO filters (user_id, filter_id, json, created_ts) VALUES (:user_id, :filter_id, :json, :created_ts)"
        " ON CONFLICT (user_id, filter_id) DO UPDATE SET created_ts = excluded.created_ts"
    )
    async def put_filter(self, user_id: str, filter_id: str, json: str, created_ts: int) -> None:
        """Keep a filter; one that is there counts as new again."""

    @query("SELECT json FROM filters WHERE user_id = :user_id AND filter_id = :filter_id")
    async def filter_json(self, user_id: str, filter_id: str) -> str | None:
        """A filter as it was uploaded."""

    @query(
        "DELETE FROM filters WHERE user_id = :user_id AND filter_id IN (SELECT f.filter_id FROM filters f"
        " WHERE f.user_id = :user_id ORDER BY f.created_ts DESC, f.filter_id LIMIT 1000000 OFFSET :most)"
    )
    async def delete_oldest(self, user_id: str, most: int) -> int:
        """Keep only the newest ones of a user."""
