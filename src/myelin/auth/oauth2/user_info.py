"""Who a token belongs to (OpenID Connect Core, section 5.3)."""

from myelin.auth.oauth2.errors import OAuthError
from myelin.auth.oauth2.scopes import OPENID
from myelin.db.connection import Database
from myelin.store.oauth_sessions import OAuthSessionStore


class UserInfo:
    """Tells clients that asked for `openid`."""

    def __init__(self, database: Database) -> None:
        self._store = OAuthSessionStore(database)

    async def claims(self, user_id: str, device_id: str | None) -> dict[str, str]:
        """The user's claims. Raises OAuthError for a session that was not granted them."""
        session = await self._store.session(user_id, device_id) if device_id is not None else None
        if session is None or OPENID not in session.scope.split():
            raise OAuthError("insufficient_scope", "The token was not granted the scope openid", status=403)
        return {"sub": user_id}
