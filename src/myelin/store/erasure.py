"""Users who had what they wrote erased."""

from typing import NamedTuple

from myelin.db.query import Store, query, statement
from myelin.db.sql import Statement


class ErasedUser(NamedTuple):
    """An erased user, and since which position of the log."""

    user_id: str
    position: int


class ErasureStore(Store):
    """All erasures: there are few."""

    @query("SELECT user_id, position FROM erased_users")
    async def all(self) -> list[ErasedUser]:
        """Every erased user."""


@statement("INSERT INTO erased_users (user_id, position) VALUES (:user_id, :position) ON CONFLICT (user_id) DO NOTHING")
def put_erased(user_id: str, position: int) -> Statement:
    """Show what the user wrote only to who was there."""
