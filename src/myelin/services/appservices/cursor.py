"""How far one application service has come, held by one process at a time."""

import asyncio
from collections.abc import Sequence

from myelin.db.claims import Claim
from myelin.db.committer import Committer, Write
from myelin.db.connection import Database
from myelin.db.lease import LEASE_MS, Lease, LeaseLost
from myelin.db.sql import Statement
from myelin.store.appservice_cursors import BEGIN_TRANSACTION, AppserviceCursorStore
from myelin.telemetry.ambient import Clock

NUMBER_DIGITS = 10


class AppserviceCursor:
    """A lease with a position and the transaction under way, which outlives the process."""

    def __init__(self, name: str, database: Database, committer: Committer, holder: str, clock: Clock) -> None:
        self._name = name
        self._store = AppserviceCursorStore(database)
        self._committer = committer
        self._clock = clock
        self._lease = Lease(database, holder, clock, "serves the application service", LEASE_MS)
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
        lease, now = self._lease, self._clock.now_ms()
        held = await self._store.take(self._name, lease.holder, lease.expired_ts(), lease.expires_ts(), position, now)
        if held is None:
            return False
        self.position = self._written = held.position
        self._begun_ts, self._number, self.body = held.begun_ts, held.txn_number, held.txn_body
        return True

    async def begin(self, body: bytes, statements: Sequence[Statement], position: int) -> None:
        """Write a new transaction down, before it is sent for the first time. Raises LeaseLost."""
        async with self._writing:
            number = self._number + 1
            claim = Claim(BEGIN_TRANSACTION, (position, self._name, number, body, self._lease.holder))
            await self._lease.commit(self._committer, Write(lambda _: statements, claims=[claim]))
            self._number, self.body = number, body
            self.position = self._written = position

    def taken(self) -> None:
        """The application service has the transaction; that is written down with the next, or by `renew`."""
        self.body = None
        self._written = -1

    async def renew(self) -> None:
        """Keep the lease, and write down how far it has come. Raises LeaseLost."""
        async with self._writing:
            if not (self._lease.is_alone and self._written == self.position):
                await self._write(self._lease.expires_ts())

    async def release(self) -> None:
        """Let another process take over at once."""
        try:
            async with self._writing:
                await self._write(0)
        except LeaseLost:
            return

    async def _write(self, expires_ts: int) -> None:
        write = self._store.settle if self.body is None else self._store.renew
        self._lease.check(await write(self._name, self._lease.holder, expires_ts, self.position))
        self._written = self.position
