"""Authorizations on their way from a client's request to its tokens."""

from typing import NamedTuple

from myelin.db.claims import ClaimSql
from myelin.db.query import Store, query


class Grant(NamedTuple):
    """What a client asked for, and who has allowed it."""

    grant_id: str
    client_id: str
    request: str
    expires_ts: int
    user_id: str | None
    methods: str | None
    authenticated_ts: int | None
    code_expires_ts: int | None
    is_exchanged: bool


_COLUMNS = "grant_id, client_id, request, expires_ts, user_id, methods, authenticated_ts, code_expires_ts, is_exchanged"


class OAuthGrantStore(Store):
    """Authorization-code grants."""

    @query(
        "INSERT INTO oauth_grants (grant_id, client_id, request, created_ts, expires_ts)"
        " VALUES (:grant_id, :client_id, :request, :created_ts, :expires_ts)"
    )
    async def add(self, grant_id: str, client_id: str, request: str, created_ts: int, expires_ts: int) -> None:
        """A client asks."""

    @query(f"SELECT {_COLUMNS} FROM oauth_grants WHERE grant_id = :grant_id AND expires_ts > :now AND user_id IS NULL")
    async def asked(self, grant_id: str, now: int) -> Grant | None:
        """One that waits for a user."""

    @query(f"SELECT {_COLUMNS} FROM oauth_grants WHERE code_hash = :code_hash")
    async def of_code(self, code_hash: str) -> Grant | None:
        """The one of a code, used and expired ones included."""

    @query(
        "UPDATE oauth_grants SET user_id = :user_id, methods = :methods, authenticated_ts = :authenticated_ts,"
        " code_hash = :code_hash, code_expires_ts = :code_expires_ts"
        " WHERE grant_id = :grant_id AND user_id IS NULL"
    )
    async def allow(
        self,
        grant_id: str,
        *,
        user_id: str,
        methods: str,
        authenticated_ts: int,
        code_hash: str,
        code_expires_ts: int,
    ) -> int:
        """A user allows it; 0 when it was answered before."""

    @query("DELETE FROM oauth_grants WHERE grant_id = :grant_id AND user_id IS NULL")
    async def deny(self, grant_id: str) -> int:
        """A user says no."""

    @query("DELETE FROM oauth_grants WHERE expires_ts <= :before")
    async def forget_expired(self, before: int) -> int:
        """Forget what is over; a used code is kept a while, to notice who shows it again."""


EXCHANGE_CODE = ClaimSql(
    "exchange_code",
    single="UPDATE oauth_grants SET is_exchanged = 1 WHERE grant_id = :grant_id AND is_exchanged = 0"
    " RETURNING grant_id",
    bulk="UPDATE oauth_grants SET is_exchanged = 1 WHERE grant_id IN :grant_id AND is_exchanged = 0 RETURNING grant_id",
    key=1,
)
"""A code is used; it holds once."""
