"""How far one application service has come, held by one process at a time."""

import asyncio
from collections.abc import Sequence

from myelin.db.claims import Claim
from myelin.db.committer import AlreadyDone, Committer, Write
from myelin.db.connection import Database, DatabaseError, Dialect
from myelin.db.sql import Statement
from myelin.store.appservice_cursors import BEGIN_TRANSACTION, AppserviceCursorStore
from myelin.telemetry.ambient import Clock

LEASE_MS = 30_000
"""A process that was killed is replaced after this time."""
RENEW_S = 10.0
NUMBER_DIGITS = 10
_EVERYBODY_EXPIRED = 2**62


class LeaseLost(DatabaseError):
    """Another process serves the application service now."""


class AppserviceCursor:
    """A lease with a position and the transaction under way, which outlives the process."""

    def __init__(self, name: str, database: Database, committer: Committer, holder: str, clock: Clock) -> None:
        self._name = name
        self._store = AppserviceCursorStore(database)
        self._committer = committer
        self._holder = holder
        self._clock = clock
        self._is_alone = database.dialect is Dialect.SQLITE
        self._begun_ts = 0
        self._number = 0
        self._written = -1
        self._writing = asyncio.Lock()
        self.position = 0
        """Everything up to here is in transactions that were begun, or concerns nobody."""
        self.body: bytes | None = None
        """The transaction that was begun and perhaps not taken."""

    @property
    def txn_id(self) -> str:
        """The ID of the transaction that was begun last: digits alone, since some count them."""
        return f"{self._begun_ts}{self._number:0{NUMBER_DIGITS}}"

    async def take(self, position: int) -> bool:
        """Become the one that serves, if nobody else is; the first time ever it begins at `position`."""
        now = self._clock.now_ms()
        # With SQLite there is one process: a lease that is still there was left by its killed predecessor.
        expired = _EVERYBODY_EXPIRED if self._is_alone else now
        held = await self._store.take(self._name, self._holder, expired, now + LEASE_MS, position, now)
        if held is None:
            return False
        self.position = self._written = held.position
        self._begun_ts, self._number, self.body = held.begun_ts, held.txn_number, held.txn_body
        return True

    async def begin(self, body: bytes, statements: Sequence[Statement], position: int) -> None:
        """Write a new transaction down, before it is sent for the first time. Raises LeaseLost."""
        async with self._writing:
            number = self._number + 1
            claim = Claim(BEGIN_TRANSACTION, (position, self._name, number, body, self._holder))
            try:
                await self._committer.commit(Write(lambda _: statements, claims=[claim]))
            except AlreadyDone as error:
                raise LeaseLost("another process serves the application service") from error
            self._number, self.body = number, body
            self.position = self._written = position

    def taken(self) -> None:
        """The application service has the transaction; that is written down with the next, or by `renew`."""
        self.body = None
        self._written = -1

    async def renew(self) -> None:
        """Keep the lease, and write down how far it has come. Raises LeaseLost."""
        async with self._writing:
            if not (self._is_alone and self._written == self.position):
                await self._write(self._clock.now_ms() + LEASE_MS)

    async def release(self) -> None:
        """Let another process take over at once."""
        try:
            async with self._writing:
                await self._write(0)
        except LeaseLost:
            return

    async def _write(self, expires_ts: int) -> None:
        write = self._store.settle if self.body is None else self._store.renew
        if await write(self._name, self._holder, expires_ts, self.position) == 0:
            raise LeaseLost("another process serves the application service")
        self._written = self.position
