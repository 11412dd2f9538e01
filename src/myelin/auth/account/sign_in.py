"""Signing in on the pages, with a password."""

from myelin.http.rate_limits import RateLimiter
from myelin.matrix.errors import LimitExceeded, MatrixError, MyelinError
from myelin.services.accounts.credentials import Credentials

PASSWORD = "pwd"  # noqa: S105  (the method's name in RFC 8176)


class SignInFailed(MyelinError):
    """What was given does not sign in; the text says why, and can be shown."""


class PasswordSignIn:
    """Finds the user of a name and a password."""

    def __init__(self, credentials: Credentials, limiter: RateLimiter) -> None:
        self._credentials = credentials
        self._limiter = limiter

    async def user(self, name: str, password: str, address: str) -> str:
        """The user's ID. `name` is a user name, a user ID or a mail address. Raises SignInFailed."""
        try:
            self._limiter.take("login_address", address)
            user_id = await self._credentials.user_named(_identifier(name))
            if user_id:
                self._limiter.take("login_account", user_id.lower())
            user = await self._credentials.check(user_id, password)
        except LimitExceeded as error:
            raise SignInFailed("Too many attempts. Wait a while, then try again.") from error
        except MatrixError as error:
            raise SignInFailed("The user name or password is wrong.") from error
        if user is None:
            raise SignInFailed("The user name or password is wrong.")
        if user.is_locked:
            raise SignInFailed("This account is locked. Ask whoever runs this server.")
        return user.user_id


def _identifier(name: str) -> dict[str, object]:
    name = name.strip()
    if "@" in name[1:]:
        return {"identifier": {"type": "m.id.thirdparty", "medium": "email", "address": name}}
    return {"identifier": {"type": "m.id.user", "user": name}}
