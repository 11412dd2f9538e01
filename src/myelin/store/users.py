"""Accounts."""

from typing import NamedTuple

from myelin.db.query import Store, query, statement
from myelin.db.sql import Statement


class User(NamedTuple):
    """An account and its rights."""

    user_id: str
    kind: str
    password_hash: str | None
    is_admin: bool
    is_locked: bool
    is_suspended: bool
    is_deactivated: bool
    is_erased: bool
    appservice_id: str | None
    created_ts: int


class UserStore(Store):
    """The users of this server."""

    @query(
        "SELECT user_id, kind, password_hash, is_admin, is_locked, is_suspended, is_deactivated, is_erased,"
        " appservice_id, created_ts FROM users WHERE user_id = :user_id"
    )
    async def user(self, user_id: str) -> User | None:
        """The account of that name, deactivated ones included."""

    @query(
        "SELECT user_id, kind, password_hash, is_admin, is_locked, is_suspended, is_deactivated, is_erased,"
        " appservice_id, created_ts FROM users WHERE user_id > :after ORDER BY user_id LIMIT :limit"
    )
    async def users(self, after: str, limit: int) -> list[User]:
        """Accounts in order of their names, a page at a time."""

    @query("SELECT user_id FROM users WHERE user_id IN :user_ids AND is_deactivated = 0")
    async def existing(self, user_ids: list[str]) -> list[str]:
        """Those of the names that are accounts in use."""

    @query(
        "INSERT INTO users (user_id, kind, password_hash, is_admin, appservice_id, created_ts)"
        " VALUES (:user_id, :kind, :password_hash, :is_admin, :appservice_id, :created_ts)"
        " ON CONFLICT (user_id) DO NOTHING RETURNING user_id"
    )
    async def add_user(
        self,
        user_id: str,
        *,
        kind: str,
        password_hash: str | None,
        is_admin: bool,
        appservice_id: str | None,
        created_ts: int,
    ) -> str | None:
        """Make an account; None when the name is taken."""

    @query("UPDATE users SET password_hash = :new WHERE user_id = :user_id AND password_hash = :old")
    async def renew_password_hash(self, user_id: str, old: str, new: str) -> int:
        """Replace a hash by a stronger one of the same password, unless the password changed meanwhile."""


@statement("UPDATE users SET password_hash = :password_hash WHERE user_id = :user_id AND is_deactivated = 0")
def put_password_hash(user_id: str, password_hash: str) -> Statement:
    """Change the password."""


@statement(
    "UPDATE users SET kind = 'user', password_hash = :password_hash"
    " WHERE user_id = :user_id AND kind = 'guest' AND is_deactivated = 0"
)
def upgrade_guest(user_id: str, password_hash: str) -> Statement:
    """A guest gets a password, and is a guest no more."""


@statement(
    "UPDATE users SET is_deactivated = 1, password_hash = NULL,"
    " is_erased = CASE WHEN :is_erased = 1 THEN 1 ELSE is_erased END WHERE user_id = :user_id"
)
def deactivate_user(user_id: str, *, is_erased: int) -> Statement:
    """End an account for good."""


@statement("UPDATE users SET is_locked = :is_locked WHERE user_id = :user_id")
def put_locked(user_id: str, *, is_locked: bool) -> Statement:
    """Lock or unlock an account."""


@statement("UPDATE users SET is_suspended = :is_suspended WHERE user_id = :user_id")
def put_suspended(user_id: str, *, is_suspended: bool) -> Statement:
    """Suspend an account or let it act again."""


@statement("UPDATE users SET is_admin = :is_admin WHERE user_id = :user_id")
def put_admin(user_id: str, *, is_admin: bool) -> Statement:
    """Make a user a server administrator, or no longer."""
