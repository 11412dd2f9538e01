"""Profiles: fields with JSON values."""

from typing import NamedTuple

from myelin.db.query import Store, query, statement
from myelin.db.sql import Statement


class ProfileField(NamedTuple):
    """A field; `value` is JSON, `size` its bytes in the whole profile."""

    field: str
    value: str
    size: int


class UserField(NamedTuple):
    """A field of one of several users."""

    user_id: str
    field: str
    value: str


class ProfileStore(Store):
    """Profiles of this server's users."""

    @query("SELECT field, value, size FROM profiles WHERE user_id = :user_id ORDER BY field")
    async def fields(self, user_id: str) -> list[ProfileField]:
        """All fields of a user."""

    @query("SELECT value FROM profiles WHERE user_id = :user_id AND field = :field")
    async def value(self, user_id: str, field: str) -> str | None:
        """One field as JSON."""

    @query(
        "SELECT user_id, field, value FROM profiles WHERE user_id IN :user_ids AND field IN :fields"
        " ORDER BY user_id, field"
    )
    async def fields_of(self, user_ids: list[str], fields: list[str]) -> list[UserField]:
        """Some fields of several users."""


@statement(
    "INSERT INTO profiles (user_id, field, value, size)"
    " SELECT CAST(:user_id AS TEXT), CAST(:field AS TEXT), CAST(:value AS TEXT), CAST(:size AS BIGINT)"
    " WHERE COALESCE((SELECT SUM(p.size) FROM profiles p WHERE p.user_id = :user_id AND p.field <> :field), 0)"
    " + CAST(:size AS BIGINT) <= CAST(:most AS BIGINT)"
    " ON CONFLICT (user_id, field) DO UPDATE SET value = excluded.value, size = excluded.size"
)
def put_field(user_id: str, field: str, value: str, *, size: int, most: int) -> Statement:
    """Write a field, unless the profile would grow beyond `most` bytes."""


@statement("DELETE FROM profiles WHERE user_id = :user_id AND field = :field")
def delete_field(user_id: str, field: str) -> Statement:
    """Remove a field."""


@statement("DELETE FROM profiles WHERE user_id = :user_id")
def delete_profile(user_id: str) -> Statement:
    """Remove all fields of a user."""
