"""Registration tokens: who holds one may make an account."""

from typing import NamedTuple

from myelin.db.query import Store, query


class RegistrationToken(NamedTuple):
    """A token and how far it is used up; timestamps in milliseconds."""

    token: str
    uses_allowed: int | None
    completed: int
    expires_ts: int | None
    created_ts: int


class RegistrationTokenStore(Store):
    """Registration tokens."""

    @query(
        "INSERT INTO registration_tokens (token, uses_allowed, expires_ts, created_ts)"
        " VALUES (:token, :uses_allowed, :expires_ts, :created_ts) ON CONFLICT (token) DO NOTHING RETURNING token"
    )
    async def add_token(
        self, token: str, uses_allowed: int | None, expires_ts: int | None, created_ts: int
    ) -> str | None:
        """Make a token; None when there is one of that name."""

    @query(
        "SELECT token, uses_allowed, completed, expires_ts, created_ts FROM registration_tokens WHERE token = :token"
    )
    async def token(self, token: str) -> RegistrationToken | None:
        """One token."""

    @query(
        "SELECT token, uses_allowed, completed, expires_ts, created_ts FROM registration_tokens"
        " ORDER BY created_ts, token"
    )
    async def tokens(self) -> list[RegistrationToken]:
        """All tokens, the oldest first."""

    @query(
        "UPDATE registration_tokens SET completed = completed + 1 WHERE token = :token"
        " AND (uses_allowed IS NULL OR completed < uses_allowed) AND (expires_ts IS NULL OR expires_ts > :now)"
    )
    async def use_token(self, token: str, now: int) -> int:
        """Count an account made with it; 0 when it is used up, expired or gone."""

    @query("UPDATE registration_tokens SET uses_allowed = :uses_allowed, expires_ts = :expires_ts WHERE token = :token")
    async def put_token(self, token: str, uses_allowed: int | None, expires_ts: int | None) -> int:
        """Change how often and how long it may be used."""

    @query("DELETE FROM registration_tokens WHERE token = :token")
    async def delete_token(self, token: str) -> int:
        """Withdraw a token."""
