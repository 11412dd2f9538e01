"""Sign in with a password, or with a token made for it (spec: client-server API, "Login")."""

from collections.abc import Mapping
from typing import Any

from myelin.config.sections.accounts import Sessions
from myelin.db.connection import Database
from myelin.http.rate_limits import RateLimiter
from myelin.matrix.errors import Forbidden, MatrixError, MissingParam, UserDeactivated
from myelin.services.accounts.credentials import Credentials
from myelin.services.accounts.sessions import NewDevice, SessionService, SignedIn
from myelin.services.accounts.tokens import new_secret, token_hash
from myelin.store.login_tokens import LoginTokenStore
from myelin.store.users import User, UserStore
from myelin.telemetry.ambient import Clock, Randomness

_WRONG = "The user name or password is wrong"


class LoginService:
    """Signs users in."""

    def __init__(
        self,
        database: Database,
        sessions: SessionService,
        credentials: Credentials,
        limiter: RateLimiter,
        config: Sessions,
        clock: Clock,
        randomness: Randomness,
    ) -> None:
        self._users = UserStore(database)
        self._tokens = LoginTokenStore(database)
        self._sessions = sessions
        self._credentials = credentials
        self._limiter = limiter
        self._config = config
        self._clock = clock
        self._randomness = randomness

    async def with_password(self, fields: Mapping[str, Any], password: str | None, device: NewDevice) -> SignedIn:
        """Sign in by the name in `fields`. Raises Forbidden, UserDeactivated, LimitExceeded or MissingParam."""
        user_id = await self._credentials.user_named(fields)
        if password is None:
            raise MissingParam("The password is missing")
        if user_id:
            self._limiter.take("login_account", user_id.lower())
        user = await self._credentials.check(user_id, password)
        if user is None:
            raise Forbidden(_WRONG)
        return await self._begin(user, device)

    async def with_token(self, token: str | None, device: NewDevice) -> SignedIn:
        """Sign in by a token of `new_token`, which works once. Raises Forbidden or MissingParam."""
        if token is None:
            raise MissingParam("The token is missing")
        user_id = await self._tokens.take_token(token_hash(token), self._clock.now_ms())
        user = await self._users.user(user_id) if user_id is not None else None
        if user is None or user.is_deactivated:
            raise Forbidden("The login token is not valid, was used, or has expired")
        return await self._begin(user, device)

    async def vouched_for(self, user_id: str, device: NewDevice) -> SignedIn:
        """Sign in a user whom an application service answers for. Raises Forbidden or UserDeactivated."""
        user = await self._users.user(user_id)
        if user is None:
            raise Forbidden("There is no such user")
        return await self._begin(user, device)

    async def new_token(self, user_id: str) -> tuple[str, int]:
        """A token to sign the user in on another device, and its lifetime in milliseconds."""
        token = new_secret(self._randomness)
        lifetime = self._config.login_token_lifetime_ms
        await self._tokens.add_token(token_hash(token), user_id, self._clock.now_ms() + lifetime)
        return token, lifetime

    async def _begin(self, user: User, device: NewDevice) -> SignedIn:
        if user.is_deactivated:
            raise UserDeactivated("This account has been deactivated")
        if user.is_locked:
            raise MatrixError("This account is locked", errcode="M_USER_LOCKED", soft_logout=True)
        return await self._sessions.begin(user.user_id, device)
