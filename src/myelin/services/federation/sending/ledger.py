"""What must outlive the process: written by whoever holds the lease on sending, in few commits for all destinations."""

import asyncio
from collections.abc import Sequence

from myelin.db.claims import Claim
from myelin.db.committer import Committer, Write
from myelin.db.connection import Database, DatabaseError
from myelin.db.lease import Lease
from myelin.db.sql import Statement
from myelin.matrix.errors import MyelinError
from myelin.store.destinations import HOLD_SENDING, SendingCursorStore, move_cursor
from myelin.telemetry.ambient import Clock

GATHER_S = 0.003
"""How long the first who writes waits for others: an event goes to many servers, a few in each turn of the loop."""
_NAME = "log"


class Ledger:
    """A lease with a position in the log, and the writes of its holder."""

    def __init__(self, database: Database, committer: Committer, holder: str, clock: Clock) -> None:
        self._store = SendingCursorStore(database)
        self._committer = committer
        self._lease = Lease(database, holder, clock, "sends")
        self._waiting: list[tuple[Sequence[Statement], asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None
        self.position = 0
        """Up to here the log is looked through, and what is not sent of it is noted."""

    @property
    def may_be_others(self) -> bool:
        """Whether other processes can share the database."""
        return not self._lease.is_alone

    async def take(self, position: int) -> bool:
        """Become the one that sends, if nobody else is; the first time ever it begins at `position`."""
        lease = self._lease
        held = await self._store.take(_NAME, lease.holder, lease.expired_ts(), lease.expires_ts(), position)
        if held is None:
            return False
        self.position = held.position
        return True

    async def renew(self) -> None:
        """Keep the lease. Raises LeaseLost."""
        lease = self._lease
        if not lease.is_alone:
            lease.check(await self._store.renew(_NAME, lease.holder, lease.expires_ts()))

    async def release(self) -> None:
        """Let another process take over at once."""
        await self._store.renew(_NAME, self._lease.holder, 0)

    async def move(self, statements: Sequence[Statement], position: int) -> None:
        """Write down what is not sent of the log up to a position, and that it is looked through. Raises LeaseLost."""
        await self.write([*statements, move_cursor(_NAME, self._lease.holder, position)])
        self.position = position

    async def write(self, statements: Sequence[Statement]) -> None:
        """Write durably, together with what others write meanwhile. Raises LeaseLost, with nothing written."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((statements, done))
        if self._writing is None:
            self._writing = asyncio.get_running_loop().create_task(self._write_all())
        await done

    async def _write_all(self) -> None:
        try:
            await asyncio.sleep(GATHER_S)
            while self._waiting:
                batch, self._waiting = self._waiting, []
                error: MyelinError | None = DatabaseError("the process stops")
                try:
                    error = await self._commit([statement for statements, _ in batch for statement in statements])
                finally:
                    for _, done in batch:
                        _answer(done, error)
        finally:
            self._writing = None

    async def _commit(self, statements: Sequence[Statement]) -> MyelinError | None:
        claim = Claim(HOLD_SENDING, (self._lease.expires_ts(), _NAME, self._lease.holder))
        try:
            await self._lease.commit(self._committer, Write(lambda _: statements, claims=[claim]))
        except DatabaseError as error:
            return error
        return None


def _answer(done: "asyncio.Future[None]", error: MyelinError | None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(error)
        done.exception()  # a caller that went away leaves no warning behind
