"""What clients keep on the server for their user: account data, tags, read markers, push rules."""

from typing import NamedTuple

from myelin.db.claims import ClaimSql
from myelin.db.query import Store, query, statement
from myelin.db.sql import Statement


class AccountDataRow(NamedTuple):
    """One piece of account data; `room_id` is empty for global data."""

    position: int
    user_id: str
    room_id: str
    type: str
    json: bytes


_COLUMNS = "position, user_id, room_id, type, json"


class AccountDataStore(Store):
    """Reads account data."""

    @query(f"SELECT {_COLUMNS} FROM account_data WHERE user_id = :user_id ORDER BY position")
    async def of_user(self, user_id: str) -> list[AccountDataRow]:
        """All that a user has, the oldest first."""

    @query(f"SELECT {_COLUMNS} FROM account_data WHERE user_id = :user_id AND room_id = :room_id AND type = :type")
    async def one(self, user_id: str, room_id: str, type: str) -> AccountDataRow | None:  # noqa: A002  (the spec's word)
        """One piece of data."""

    @query(f"SELECT {_COLUMNS} FROM account_data WHERE user_id IN :user_ids AND room_id = '' AND type = :type")
    async def of_type(self, user_ids: list[str], type: str) -> list[AccountDataRow]:  # noqa: A002  (the spec's word)
        """Global data of one type of some users."""

    @query(f"SELECT {_COLUMNS} FROM account_data WHERE position >= :first AND position <= :last ORDER BY position")
    async def between(self, first: int, last: int) -> list[AccountDataRow]:
        """What changed last in a range of positions, both ends included."""


@statement(
    "INSERT INTO account_data (user_id, room_id, type, position, json)"
    " VALUES (:user_id, :room_id, :type, :position, :json)"
    " ON CONFLICT (user_id, room_id, type) DO UPDATE SET position = excluded.position, json = excluded.json"
)
def put_account_data(
    user_id: str,
    room_id: str,
    type: str,  # noqa: A002  (the spec's word)
    position: int,
    json: bytes,
) -> Statement:
    """Set a piece of account data."""


@statement("DELETE FROM account_data WHERE user_id = :user_id")
def delete_account_data(user_id: str) -> Statement:
    """Forget all data of a user."""


CLAIM_UNCHANGED = ClaimSql(
    "CLAIM_UNCHANGED",
    single="INSERT INTO account_data (user_id, room_id, type, position, json)"
    " VALUES (:user_id, :room_id, :type, :position, '') ON CONFLICT (user_id, room_id, type)"
    " DO UPDATE SET position = excluded.position WHERE account_data.position = excluded.position"
    " RETURNING user_id, room_id, type",
    bulk="INSERT INTO account_data (user_id, room_id, type, position, json)"
    " SELECT n.*, ''::bytea FROM unnest(:user_id::text[], :room_id::text[], :type::text[], :position::bigint[]) AS n"
    " ON CONFLICT (user_id, room_id, type)"
    " DO UPDATE SET position = excluded.position WHERE account_data.position = excluded.position"
    " RETURNING user_id, room_id, type",
    key=3,
)
"""Holds while the data is still what was read at `position`, 0 where there was none; a `put_account_data` follows."""
