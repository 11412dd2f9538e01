"""Passwords: hashed with Argon2id in a few threads, and checked for strength before they are taken."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from myelin.config.sections.accounts import Passwords
from myelin.matrix.errors import InvalidParam, MatrixError

T = TypeVar("T")

MAX_PASSWORD_BYTES = 512
"""A longer one is refused before anything is computed of it."""
MAX_RATED_CHARACTERS = 72
"""What of a password is rated for strength: rating takes longer than linear time."""
_NO_PASSWORD = "a password that nobody has"  # noqa: S105  (hashed only to spend the time)


class PasswordService:
    """Hashes and checks passwords without holding up the server."""

    def __init__(self, config: Passwords) -> None:
        self._config = config
        self._hasher = PasswordHasher(
            time_cost=config.argon2_time_cost,
            memory_cost=config.argon2_memory_kib,
            parallelism=config.argon2_parallelism,
        )
        self._threads = ThreadPoolExecutor(config.max_concurrent_hashes, thread_name_prefix="argon2")
        self._nobodys: str | None = None

    async def hash(self, password: str) -> str:
        """The password's hash, with its parameters. Raises InvalidParam for one that is too long."""
        _check_length(password)
        return await self._in_thread(self._hasher.hash, password)

    async def verify(self, hashed: str | None, password: str) -> bool:
        """Whether the password has this hash. Without a hash it is False after the same time."""
        if len(password.encode("utf-8", "surrogatepass")) > MAX_PASSWORD_BYTES:
            return False
        if hashed is None:
            await self._in_thread(self._verify_nobodys, password)
            return False
        return await self._in_thread(self._verify, hashed, password)

    def is_outdated(self, hashed: str) -> bool:
        """Whether the hash was made with other parameters than the configured ones."""
        return self._hasher.check_needs_rehash(hashed)

    async def check_strength(self, password: str, user_id: str = "") -> None:
        """Raises M_WEAK_PASSWORD, saying what is missing, or InvalidParam for one that is too long."""
        _check_length(password)
        if len(password) < self._config.min_length:
            raise MatrixError(
                f"The password must have at least {self._config.min_length} characters", errcode="M_WEAK_PASSWORD"
            )
        if self._config.min_score:
            await self._in_thread(self._check_score, password, user_id)

    async def close(self) -> None:
        """Let running hashes end."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _check_score(self, password: str, user_id: str) -> None:
        from zxcvbn import (
            zxcvbn,
        )  # its lists of common passwords take memory that a server without new ones does not need

        inputs = [part for part in user_id.strip("@").split(":") if part]
        rated = zxcvbn(password[:MAX_RATED_CHARACTERS], user_inputs=inputs)
        if rated["score"] < self._config.min_score:
            hint = rated["feedback"]["warning"] or "add another word or two"
            raise MatrixError(f"The password is too easy to guess: {hint}", errcode="M_WEAK_PASSWORD")

    def _verify(self, hashed: str, password: str) -> bool:
        try:
            return self._hasher.verify(hashed, password)
        except (VerificationError, InvalidHashError, UnicodeEncodeError):
            return False

    def _verify_nobodys(self, password: str) -> bool:
        if self._nobodys is None:
            self._nobodys = self._hasher.hash(_NO_PASSWORD)
        return self._verify(self._nobodys, password)

    async def _in_thread(self, work: Callable[..., T], *args: str) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *args)


def _check_length(password: str) -> None:
    if len(password.encode("utf-8", "surrogatepass")) > MAX_PASSWORD_BYTES:
        raise InvalidParam(f"The password is longer than {MAX_PASSWORD_BYTES} bytes")
    if not password.isprintable() and any("\ud800" <= c <= "\udfff" for c in password):
        raise InvalidParam("The password is not Unicode text")
