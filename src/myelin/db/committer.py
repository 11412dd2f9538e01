"""Group commit: all writes of the process that are waiting share one transaction.

A caller hands in a `Write` and is answered after the commit that holds it. While one batch waits for the disk the next
one gathers, so the cost of a commit is shared and falls under load. Inside the transaction, in this order:

1. The position row is updated: its lock makes commit order position order across all processes.
2. Claims: rows that must not exist yet (transaction IDs). A write whose claim is taken is refused with `AlreadyDone`.
3. Guards: one for each room written to, that the room is still at the version the writes were built on. Where it is
   not, the room's writes of this batch are refused with `GuardFailed`; their caller reloads, rebuilds and retries.
4. The statements of what is left, grouped by text.

After the commit `announce` hears of the batch in position order, before any caller is answered.

A guard that fails again and again, because another process writes to the room without pause, is not tried for ever:
`commit_held` takes the position row first and has the write built while no other process can commit.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

import structlog

from myelin.db.batch import Outcome, write_batch, write_in
from myelin.db.connection import Database, DatabaseError
from myelin.db.write import AlreadyDone, Chain, GuardFailed, Write
from myelin.matrix.errors import MyelinError

__all__ = ["AlreadyDone", "Chain", "Committer", "GuardFailed", "Write"]

_log = structlog.get_logger("myelin.db")

MAX_BATCH = 256
MAKE_TIMEOUT_S = 10
"""The longest that the log is held for a write to be built."""


Announce = Callable[[int, int, list[Write]], None]
Make = Callable[[int], Awaitable[Write | None]]
"""Builds a write, given the last position of the log; None where there is nothing to write."""


class Committer:
    """Gathers writes into batches and commits them one after the other."""

    def __init__(self, database: Database, announce: Announce) -> None:
        self._database = database
        self._announce = announce
        self._waiting: list[Write] = []
        self._to_make: deque[tuple[Make, asyncio.Future[Write | None]]] = deque()
        self._running: asyncio.Task[None] | None = None
        self.batches = 0
        self.writes = 0

    @property
    def is_writing(self) -> bool:
        """Whether anything is being written, or is written and not announced yet."""
        return self._running is not None

    async def commit(self, write: Write) -> int:
        """Write durably; the first position. Raises GuardFailed, AlreadyDone or DatabaseError, with nothing written."""
        self.submit(write)
        return await asyncio.shield(write.done)

    def submit(self, write: Write) -> None:
        """Queue a write without waiting for it; `write.done` tells how it ended."""
        self._waiting.append(write)
        self._wake()

    async def commit_held(self, make: Make) -> None:
        """Hold the log of all processes, have a write built on what is there now, and commit it with all that waits.

        `make` reads and must not write. Raises what it raises, and what `commit` raises.
        """
        made: asyncio.Future[Write | None] = asyncio.get_running_loop().create_future()
        self._to_make.append((make, made))
        self._wake()
        write = await asyncio.shield(made)
        if write is not None:
            await asyncio.shield(write.done)

    def _wake(self) -> None:
        if self._running is None:
            self._running = asyncio.get_running_loop().create_task(self._run())

    async def drain(self) -> None:
        """Wait until nothing is waiting to be written."""
        while self._running is not None:
            await asyncio.shield(self._running)

    async def _run(self) -> None:
        try:
            while self._waiting or self._to_make:
                if self._to_make:
                    await self._commit_held(*self._to_make.popleft())
                batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
                await self._commit_batch([w for w in batch if not self._void(w)])
        finally:
            self._running = None

    @staticmethod
    def _void(write: Write) -> bool:
        """Refuse a write that was built on one that failed."""
        if write.chain is None or not write.chain.dead:
            return False
        _refuse(write, GuardFailed("built on a write that was refused"))
        return True

    async def _commit_batch(self, batch: list[Write]) -> None:
        if not batch:
            return
        try:
            outcome = await write_batch(self._database, batch)
        except Exception as error:  # noqa: BLE001  (whatever it was, the callers must hear of it)
            await self._recover(batch, error)
        else:
            self._tell(outcome)

    async def _commit_held(self, make: Make, made: "asyncio.Future[Write | None]") -> None:
        """Commit all that waits and a write that is built while the transaction holds the log."""
        batch: list[Write] = []
        try:
            async with self._database.transaction() as transaction:
                last = await transaction.take_positions(0) - 1
                batch = await self._made(make, made, last)
                outcome = await write_in(transaction, batch)
        except Exception as error:  # noqa: BLE001  (whatever it was, the callers must hear of it)
            if made.done():
                await self._recover(batch, error)
            else:
                made.set_exception(_as_refusal(error))
                made.exception()
        else:
            self._tell(outcome)

    async def _made(self, make: Make, made: "asyncio.Future[Write | None]", last: int) -> list[Write]:
        """What waits when the write is built, and the write itself, which may hang on some of that."""
        async with asyncio.timeout(MAKE_TIMEOUT_S):
            write = await make(last)
        if not made.done():
            made.set_result(write)
        waiting, self._waiting = self._waiting, []
        return [w for w in (*waiting, *([write] if write is not None else ())) if not self._void(w)]

    def _tell(self, outcome: Outcome) -> None:
        """The transaction is committed: chains move, listeners hear, callers are answered."""
        for write, refusal in outcome.refused:
            if write.chain is not None:
                write.chain.dead = True
            _refuse(write, refusal)
        for write in outcome.guards:
            assert write.chain is not None
            write.chain.committed(write.last)
        first, last, kept = outcome.first, outcome.last, outcome.kept
        self.batches += 1
        self.writes += len(kept)
        try:
            self._announce(first, last, kept)
        except Exception as error:  # noqa: BLE001  (it is committed: whoever fails to hear of it, the callers are answered)
            _log.error("a listener of the log failed", first=first, last=last, exc_info=error)
        for write in kept:
            if not write.done.done():
                write.done.set_result(write.position)

    async def _recover(self, batch: list[Write], error: Exception) -> None:
        """A batch failed as a whole: try its writes one by one, so that only the culprit is refused."""
        if len(batch) != 1:
            for write in batch:
                if not self._void(write):
                    await self._commit_batch([write])
            return
        write = batch[0]
        if write.chain is not None:
            write.chain.dead = True
        _refuse(write, _as_refusal(error))


def _as_refusal(error: Exception) -> MyelinError:
    """What a caller is told: an error of ours as it is, anything else with its cause."""
    if isinstance(error, MyelinError):
        return error
    refusal = DatabaseError(f"{type(error).__name__}: {error}")
    refusal.__cause__ = error
    return refusal


def _refuse(write: Write, error: MyelinError) -> None:
    if not write.done.done():
        write.done.set_exception(error)
        write.done.exception()  # a caller that went away leaves no warning behind
