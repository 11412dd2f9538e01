"""The place in the log up to which notifications are decided on, held by one process at a time."""

from collections.abc import Sequence

from myelin.db.claims import Claim
from myelin.db.committer import AlreadyDone, Committer, Write
from myelin.db.connection import Database, DatabaseError, Dialect
from myelin.db.sql import Statement
from myelin.store.pushers import ADVANCE_PUSH_CURSOR, PushCursorStore
from myelin.telemetry.ambient import Clock

LEASE_MS = 30_000
"""A process that was killed is replaced after this time."""
RENEW_S = 10.0
_NAME = "log"
_EVERYBODY_EXPIRED = 2**62


class LeaseLost(DatabaseError):
    """Another process sends the notifications now."""


class PushCursor:
    """A lease with a position. Nothing is queued without holding it."""

    def __init__(self, database: Database, committer: Committer, holder: str, clock: Clock) -> None:
        self._store = PushCursorStore(database)
        self._committer = committer
        self._holder = holder
        self._clock = clock
        self._is_alone = database.dialect is Dialect.SQLITE
        self._written = -1
        self.position = 0

    async def take(self, position: int) -> bool:
        """Become the one that sends, if nobody else is; the first time ever it begins at `position`."""
        now = self._clock.now_ms()
        # With SQLite there is one process: a lease that is still there was left by its killed predecessor.
        expired = _EVERYBODY_EXPIRED if self._is_alone else now
        held = await self._store.take(_NAME, self._holder, expired, now + LEASE_MS, position)
        if held is None:
            return False
        self.position = self._written = held.position
        return True

    async def renew(self) -> None:
        """Keep the lease, and write down how far it has come. Raises LeaseLost."""
        if self._is_alone and self._written == self.position:
            return
        await self._write(self._clock.now_ms() + LEASE_MS)

    async def release(self) -> None:
        """Let another process take over at once."""
        try:
            await self._write(0)
        except LeaseLost:
            return

    async def queue(self, statements: Sequence[Statement], position: int) -> None:
        """Write what is to be sent and that everything up to a position is decided on. Raises LeaseLost."""
        try:
            await self._committer.commit(
                Write(
                    lambda _: statements,
                    claims=[Claim(ADVANCE_PUSH_CURSOR, (position, _NAME, self._holder))],
                )
            )
        except AlreadyDone as error:
            raise LeaseLost("another process sends notifications") from error
        self.position = self._written = position

    async def _write(self, expires_ts: int) -> None:
        if await self._store.renew(_NAME, self._holder, expires_ts, self.position) == 0:
            raise LeaseLost("another process sends notifications")
        self._written = self.position
