"""One batch in one transaction: positions, claims, guards, statements.

On PostgreSQL every statement is a round trip, so positions, claims and guards go into one statement, which holds for
all of the batch or for nothing of it. Where some claim or guard is lost, as happens rarely, the batch is written again
step by step, and each write has its own fate.
"""

import contextlib
from collections.abc import Sequence
from typing import Any, NamedTuple

from myelin.db.claims import ClaimSql, undo, won
from myelin.db.connection import Database, DatabaseError, Dialect, Transaction
from myelin.db.sql import Sql
from myelin.db.together import Contended, all_won, can_be_together
from myelin.db.write import AlreadyDone, GuardFailed, Write


class Outcome(NamedTuple):
    """What a transaction did, to be told once it is committed."""

    first: int
    last: int
    kept: list[Write]
    guards: list[Write]
    refused: list[tuple[Write, DatabaseError]]


async def write_batch(database: Database, batch: list[Write]) -> Outcome:
    """Commit what can be written of a batch. Raises whatever went wrong with it as a whole, with nothing written."""
    if database.dialect is Dialect.POSTGRES:
        with contextlib.suppress(Contended):
            return await _write_together(database, batch)
    async with database.transaction() as transaction:
        return await write_in(transaction, batch)


async def _write_together(database: Database, batch: list[Write]) -> Outcome:
    """Write all of a batch, with one statement for what is to be won. Raises Contended where not all of it was."""
    total = sum(w.positions for w in batch)
    # Numbered from 1, until the statement says where the log stands.
    _number(batch, 1)
    guards = _last_of_chains(batch)
    changes = [c for w in batch for c in w.claims]
    changes += [w.chain.guard(w, w.last) for w in guards if w.chain is not None]
    if not can_be_together(changes):
        raise Contended
    async with database.transaction(positions=total) as transaction:
        before = await all_won(transaction, total, changes)
        _number(batch, before + 1)
        await _run_statements(transaction, batch)
    return Outcome(before + 1, before + total, batch, guards, [])


async def write_in(transaction: Transaction, batch: list[Write]) -> Outcome:
    """Write what can be written of a batch, step by step."""
    refused: list[tuple[Write, DatabaseError]] = []
    total = sum(w.positions for w in batch)
    first = await transaction.take_positions(total)
    _number(batch, first)
    kept = await _claim(transaction, batch, refused)
    kept, guards = await _guard(transaction, kept, refused)
    await _run_statements(transaction, kept)
    return Outcome(first, first + total - 1, kept, guards, refused)


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
    last = _last_of_chains(batch)
    if not last:
        return batch, []
    held = await won(transaction, [w.chain.guard(w, w.last) for w in last if w.chain is not None])
    failed = {id(write.chain) for write, ok in zip(last, held, strict=True) if not ok}
    if not failed:
        return batch, last
    gone = [w for w in batch if id(w.chain) in failed]
    await undo(transaction, [c for w in gone for c in w.claims])
    _free(refused, {(c.sql, c.args[: c.sql.key]) for w in gone for c in w.claims})
    refused.extend((w, GuardFailed("the room was written to meanwhile")) for w in gone)
    kept = [w for w in batch if id(w.chain) not in failed]
    return kept, [w for w in last if id(w.chain) not in failed]


def _last_of_chains(batch: list[Write]) -> list[Write]:
    """The last write of each chain: its guard moves the chain's row past all of them."""
    return list({id(w.chain): w for w in batch if w.chain is not None}.values())


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
