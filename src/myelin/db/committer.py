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
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import structlog

from myelin.db.claims import Claim, ClaimSql, undo, won
from myelin.db.connection import Database, DatabaseError, Transaction
from myelin.db.sql import Sql, Statement
from myelin.matrix.errors import MyelinError

_log = structlog.get_logger("myelin.db")

MAX_BATCH = 256
MAKE_TIMEOUT_S = 10
"""The longest that the log is held for a write to be built."""


class GuardFailed(DatabaseError):
    """Another process wrote to the room first; rebuild on what it wrote."""


class AlreadyDone(DatabaseError):
    """The claim is taken: this write was committed before."""


class Chain(Protocol):
    """A row of versions that writes build on one after the other, such as a room's."""

    dead: bool
    """Set when a guard failed: what was built on this chain is void."""

    def guard(self, write: "Write", position: int) -> Claim:
        """The guarded update that moves the row from the version last committed to the one after `write`."""
        ...

    def committed(self, position: int) -> None:
        """The guarded update was committed at `position`."""
        ...


@dataclass(slots=True, eq=False)
class Write:
    """Something to be written durably.

    `statements` is called with the write's first position, inside the transaction: it must be quick and pure.
    """

    statements: Callable[[int], Iterable[Statement]]
    positions: int = 1
    claims: Sequence[Claim] = ()
    chain: Chain | None = None
    tip: Any = None
    """What the chain's guard needs to know of this write."""
    news: Sequence[Any] = ()
    """What those who listen for changes are told, each with the first position."""
    done: "asyncio.Future[int]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    position: int = 0


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
            async with self._database.transaction() as transaction:
                outcome = await _write(transaction, batch)
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
                outcome = await _write(transaction, batch)
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

    def _tell(self, outcome: "_Outcome") -> None:
        """The transaction is committed: chains move, listeners hear, callers are answered."""
        for write, refusal in outcome.refused:
            if write.chain is not None:
                write.chain.dead = True
            _refuse(write, refusal)
        for write in outcome.guards:
            assert write.chain is not None
            write.chain.committed(write.position + write.positions - 1)
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


class _Outcome(NamedTuple):
    """What a transaction did, to be told once it is committed."""

    first: int
    last: int
    kept: list[Write]
    guards: list[Write]
    refused: list[tuple[Write, DatabaseError]]


async def _write(transaction: Transaction, batch: list[Write]) -> _Outcome:
    """Write what can be written of a batch."""
    refused: list[tuple[Write, DatabaseError]] = []
    total = sum(w.positions for w in batch)
    first = await transaction.take_positions(total)
    _number(batch, first)
    kept = await _claim(transaction, batch, refused)
    kept, guards = await _guard(transaction, kept, refused)
    await _run_statements(transaction, kept)
    return _Outcome(first, first + total - 1, kept, guards, refused)


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


def _number(batch: list[Write], first: int) -> None:
    for write in batch:
        write.position = first
        first += write.positions


async def _claim(
    transaction: Transaction, batch: list[Write], refused: list[tuple[Write, DatabaseError]]
) -> list[Write]:
    """Insert the claims; refuse the writes whose claim is taken, and what hangs on them."""
    claims = [(w, c) for w in batch for c in w.claims]
    if not claims:
        return batch
    held = await won(transaction, [c for _, c in claims])
    lost = {id(w) for (w, _), ok in zip(claims, held, strict=True) if not ok}
    if not lost:
        return batch
    kept, gone = _survivors(batch, lost, refused)
    await undo(transaction, [c for (w, c), ok in zip(claims, held, strict=True) if ok and id(w) in gone])
    return kept


def _survivors(
    batch: list[Write], lost: set[int], refused: list[tuple[Write, DatabaseError]]
) -> tuple[list[Write], set[int]]:
    """The writes that stay, and the identities of those that are refused."""
    kept: list[Write] = []
    broken: set[int] = set()
    gone: set[int] = set()
    for write in batch:
        if id(write) in lost:
            refused.append((write, AlreadyDone("this was written before")))
            broken.add(id(write.chain))
        elif write.chain is not None and id(write.chain) in broken:
            refused.append((write, GuardFailed("built on a write that was refused")))
        else:
            kept.append(write)
            continue
        gone.add(id(write))
    return kept, gone


async def _guard(
    transaction: Transaction, batch: list[Write], refused: list[tuple[Write, DatabaseError]]
) -> tuple[list[Write], list[Write]]:
    """Move each room to the version after its last write; refuse the writes to rooms that moved meanwhile."""
    last: dict[int, Write] = {id(w.chain): w for w in batch if w.chain is not None}
    if not last:
        return batch, []
    guards = [w.chain.guard(w, w.position + w.positions - 1) for w in last.values() if w.chain is not None]
    held = await won(transaction, guards)
    failed = {chain for chain, ok in zip(last, held, strict=True) if not ok}
    if not failed:
        return batch, list(last.values())
    gone = [w for w in batch if id(w.chain) in failed]
    await undo(transaction, [c for w in gone for c in w.claims])
    _free(refused, {(c.sql, c.args[: c.sql.key]) for w in gone for c in w.claims})
    refused.extend((w, GuardFailed("the room was written to meanwhile")) for w in gone)
    kept = [w for w in batch if id(w.chain) not in failed]
    return kept, [w for chain, w in last.items() if chain not in failed]


def _free(refused: list[tuple[Write, DatabaseError]], claims: set[tuple[ClaimSql, tuple[Any, ...]]]) -> None:
    """Let those try again who lost a claim to a write of the same batch that is now refused itself."""
    for i, (write, _) in enumerate(refused):
        if write.chain is not None and any((c.sql, c.args[: c.sql.key]) in claims for c in write.claims):
            refused[i] = (write, GuardFailed("what was done before it was refused"))


async def _run_statements(transaction: Transaction, batch: list[Write]) -> None:
    """Run all statements, those of the same text together, texts in the order of their first appearance."""
    grouped: dict[Sql, list[Sequence[Any]]] = {}
    for write in batch:
        for sql, args in write.statements(write.position):
            rows = grouped.get(sql)
            if rows is None:
                grouped[sql] = [args]
            else:
                rows.append(args)
    for sql, rows in grouped.items():
        await transaction.execute_many(sql, rows)
