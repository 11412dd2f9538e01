"""Addresses outside Matrix that users have proven to be theirs."""

from typing import NamedTuple

from myelin.db.query import Store, query, statement
from myelin.db.sql import Statement


class ThirdPartyId(NamedTuple):
    """An address of a user; times in milliseconds."""

    medium: str
    address: str
    validated_ts: int
    added_ts: int


class ThirdPartyIdStore(Store):
    """Addresses; each belongs to one user."""

    @query(
        "SELECT medium, address, validated_ts, added_ts FROM third_party_ids WHERE user_id = :user_id"
        " ORDER BY added_ts, address"
    )
    async def of_user(self, user_id: str) -> list[ThirdPartyId]:
        """A user's addresses."""

    @query("SELECT user_id FROM third_party_ids WHERE medium = :medium AND address = :address")
    async def user(self, medium: str, address: str) -> str | None:
        """Whose address it is."""

    @query(
        "INSERT INTO third_party_ids (medium, address, user_id, validated_ts, added_ts)"
        " VALUES (:medium, :address, :user_id, :validated_ts, :now) ON CONFLICT (medium, address) DO NOTHING"
    )
    async def add(self, medium: str, address: str, user_id: str, validated_ts: int, now: int) -> int:
        """Give a user an address; 0 where it is somebody's already."""

    @query("DELETE FROM third_party_ids WHERE user_id = :user_id AND medium = :medium AND address = :address")
    async def delete(self, user_id: str, medium: str, address: str) -> int:
        """Take an address away."""


@statement("DELETE FROM third_party_ids WHERE user_id = :user_id")
def delete_third_party_ids(user_id: str) -> Statement:
    """Forget all addresses of a user."""
