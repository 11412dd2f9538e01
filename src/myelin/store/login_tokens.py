"""Tokens of one purpose: to sign in once, or to prove to a third party who somebody is."""

from myelin.db.query import Store, query, statement
from myelin.db.sql import Statement


class LoginTokenStore(Store):
    """Tokens for `m.login.token`, by hash."""

    @query("INSERT INTO login_tokens (token_hash, user_id, expires_ts) VALUES (:token_hash, :user_id, :expires_ts)")
    async def add_token(self, token_hash: str, user_id: str, expires_ts: int) -> None:
        """Make a token."""

    @query("DELETE FROM login_tokens WHERE token_hash = :token_hash AND expires_ts > :now RETURNING user_id")
    async def take_token(self, token_hash: str, now: int) -> str | None:
        """Use it up: whose it was, or None."""

    @query("DELETE FROM login_tokens WHERE expires_ts <= :now")
    async def delete_expired(self, now: int) -> int:
        """Forget what nobody used."""


@statement("DELETE FROM login_tokens WHERE user_id = :user_id")
def delete_login_tokens(user_id: str) -> Statement:
    """Withdraw all of a user's."""


class OpenIdTokenStore(Store):
    """OpenID tokens, by hash."""

    @query("INSERT INTO openid_tokens (token_hash, user_id, expires_ts) VALUES (:token_hash, :user_id, :expires_ts)")
    async def add_token(self, token_hash: str, user_id: str, expires_ts: int) -> None:
        """Make a token."""

    @query(
        "SELECT t.user_id FROM openid_tokens t JOIN users u ON u.user_id = t.user_id"
        " WHERE t.token_hash = :token_hash AND t.expires_ts > :now AND u.is_deactivated = 0"
    )
    async def user_id(self, token_hash: str, now: int) -> str | None:
        """Whose token it is."""

    @query("DELETE FROM openid_tokens WHERE expires_ts <= :now")
    async def delete_expired(self, now: int) -> int:
        """Forget what is over."""
