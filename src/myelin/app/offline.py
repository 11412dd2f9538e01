"""What the administrator does without a server running, or beside one: accounts and registration tokens.

Each function opens the configured database, does its work and returns; none may be called within an event loop.
"""

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, ParamSpec, TypeVar

from myelin.app.build import lay_ground
from myelin.app.parts.accounts import make_accounts
from myelin.app.parts.identity import make_identity
from myelin.app.parts.mail import make_mail
from myelin.config.config import Config
from myelin.services.accounts.accounts import AccountService
from myelin.services.accounts.passwords import PasswordService
from myelin.services.accounts.registration import NewAccount, RegistrationService
from myelin.services.accounts.registration_tokens import RegistrationTokens
from myelin.services.accounts.tokens import new_secret
from myelin.store.registration_tokens import RegistrationToken
from myelin.telemetry.ambient import SystemClock, SystemRandomness

P = ParamSpec("P")
T = TypeVar("T")

GENERATED_PASSWORD_CHARACTERS = 20


def _blocking(work: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
    """For commands, which have no event loop of their own."""

    @functools.wraps(work)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        return asyncio.run(work(*args, **kwargs))

    return run


@contextlib.asynccontextmanager
async def opened(config: Config) -> AsyncIterator[Mapping[type, Any]]:
    """The services of accounts on the configured database, its schema brought up to date."""
    ground = await lay_ground(config, SystemClock(), SystemRandomness())
    services: dict[type, Any] = {}
    closers: list[Callable[[], Awaitable[None]]] = []
    try:
        for make in (make_mail, make_identity, make_accounts):
            part = make(ground, services)
            services.update(part.services)
            closers.extend(part.close)
        yield services
        await ground.committer.drain()
    finally:
        for close in reversed(closers):
            await close()
        await ground.database.close()


@_blocking
async def create_user(config: Config, name: str, password: str, admin: bool = False) -> str:
    """Make an account, reserved names included; the user's ID.

    Raises InvalidUsername, UserInUse, M_WEAK_PASSWORD, or DatabaseError.
    """
    async with opened(config) as services:
        registration: RegistrationService = services[RegistrationService]
        passwords: PasswordService = services[PasswordService]
        user_id = registration.user_id_of(name)
        await passwords.check_strength(password, user_id)
        hashed = await passwords.hash(password)
        await registration.create(NewAccount(user_id=user_id, password_hash=hashed, is_admin=admin), None)
    return user_id


@_blocking
async def set_password(config: Config, name: str, password: str) -> str:
    """Give a user another password and sign them out everywhere; the user's ID. Raises NotFound, M_WEAK_PASSWORD."""
    async with opened(config) as services:
        accounts: AccountService = services[AccountService]
        user = await accounts.user(services[RegistrationService].user_id_of(name))
        await accounts.change_password(user.user_id, password, logout_devices=True)
    return user.user_id


@_blocking
async def set_admin(config: Config, name: str, *, is_admin: bool) -> str:
    """Make a user a server administrator, or no longer; the user's ID. Raises NotFound."""
    async with opened(config) as services:
        user_id: str = services[RegistrationService].user_id_of(name)
        await services[AccountService].set_admin(user_id, is_admin=is_admin)
    return user_id


def new_password() -> str:
    """A password for who does not want to choose one."""
    return new_secret(SystemRandomness())[:GENERATED_PASSWORD_CHARACTERS]


@_blocking
async def create_registration_token(
    config: Config, token: str | None = None, *, uses_allowed: int | None = None, expires_ts: int | None = None
) -> RegistrationToken:
    """Make a registration token; `expires_ts` in milliseconds since the epoch. Raises InvalidParam."""
    async with opened(config) as services:
        tokens: RegistrationTokens = services[RegistrationTokens]
        return await tokens.create(token, uses_allowed=uses_allowed, expires_ts=expires_ts)


@_blocking
async def registration_tokens(config: Config) -> Sequence[RegistrationToken]:
    """All registration tokens, the oldest first."""
    async with opened(config) as services:
        tokens: RegistrationTokens = services[RegistrationTokens]
        return await tokens.tokens()


@_blocking
async def delete_registration_token(config: Config, token: str) -> None:
    """Withdraw a registration token. Raises NotFound."""
    async with opened(config) as services:
        tokens: RegistrationTokens = services[RegistrationTokens]
        await tokens.delete(token)
