"""SQLite: one writer, one reader beside it, and a second reader in a thread for what may take long.

Statements run on the event loop's thread: they touch cached pages and take microseconds, where a hop to a thread and
back costs ten times that and fights for the interpreter lock at each row. What waits for the disk, the commit's
fsync, runs in a thread; so do queries declared slow.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from myelin.db.connection import TAKE_POSITIONS, DatabaseError, Dialect, Row, UniqueViolation
from myelin.db.sql import Sql

MAX_CACHED_STATEMENTS = 512
PAGE_CACHE_KIB = 16_384
BUSY_TIMEOUT_MS = 10_000
CHECKPOINT_PAGES = 4_000
"""The log is written back into the file after this many pages: rarer than by default, since hot pages repeat in it."""
ROWS_BETWEEN_PAUSES = 200


class SqliteDatabase:
    """A database file, opened by this process alone."""

    dialect = Dialect.SQLITE

    def __init__(self, path: Path) -> None:
        self._path = path
        self.writer = _open(path)
        self._reader = _open(path)
        self._slow_reader = _open(path)
        self._writing = asyncio.Lock()
        self._commit_thread = ThreadPoolExecutor(1, "sqlite-commit")
        self._slow_thread = ThreadPoolExecutor(1, "sqlite-slow")

    async def fetch(self, sql: Sql, args: Sequence[Any], *, slow: bool = False) -> Sequence[Row]:
        """Rows as of the last commit. A statement that writes goes through a transaction of its own."""
        if not _reads(sql):
            async with self.transaction() as transaction:
                return await transaction.fetch(sql, args)
        if slow:
            return await asyncio.get_running_loop().run_in_executor(
                self._slow_thread, _fetch, self._slow_reader, sql, args
            )
        return _fetch(self._reader, sql, args)

    async def execute(self, sql: Sql, args: Sequence[Any]) -> int:
        """Run one statement in a transaction of its own."""
        async with self.transaction() as transaction:
            return await transaction.execute(sql, args)

    async def execute_many(self, sql: Sql, rows: Sequence[Sequence[Any]]) -> None:
        """Run a statement for each row, in one transaction."""
        async with self.transaction() as transaction:
            await transaction.execute_many(sql, rows)

    @asynccontextmanager
    async def transaction(self, *, positions: int = 0) -> AsyncIterator["SqliteTransaction"]:
        """The writer, for the time of the block."""
        async with self._writing:
            self._begin()
            try:
                transaction = SqliteTransaction(self.writer)
                if positions:
                    await transaction.take_positions(positions)
                yield transaction
            except BaseException:
                self.writer.rollback()
                raise
            await self._commit()

    async def script(self, text: str) -> None:
        """Run several statements, all or none."""
        async with self._writing:
            try:
                self.writer.executescript("BEGIN IMMEDIATE;\n" + text + "\nCOMMIT;")
            except sqlite3.Error as error:
                if self.writer.in_transaction:
                    self.writer.rollback()
                raise DatabaseError(f"migration failed: {error}") from error

    async def close(self) -> None:
        """Write the log back into the file and close."""
        async with self._writing:
            self._commit_thread.shutdown()
            self._slow_thread.shutdown()
            for connection in (self._reader, self._slow_reader, self.writer):
                connection.close()

    def _begin(self) -> None:
        try:
            self.writer.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            raise _translated(error) from error

    async def _commit(self) -> None:
        """Wait for the disk without holding up the loop, even if the caller is cancelled meanwhile."""
        done = asyncio.get_running_loop().run_in_executor(self._commit_thread, self.writer.commit)
        cancelled = None
        while not done.done():
            try:
                await asyncio.shield(done)
            except asyncio.CancelledError as error:
                cancelled = error
            except sqlite3.Error:
                break
        if failed := done.exception():
            self.writer.rollback()
            raise _translated(failed) from failed
        if cancelled is not None:
            raise cancelled


class SqliteTransaction:
    """The writer inside one transaction."""

    __slots__ = ("connection",)
    dialect = Dialect.SQLITE

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    async def fetch(self, sql: Sql, args: Sequence[Any], *, slow: bool = False) -> Sequence[Row]:  # noqa: ARG002  (the writer has no second thread)
        """Rows as this transaction sees them."""
        return _fetch(self.connection, sql, args)

    async def execute(self, sql: Sql, args: Sequence[Any]) -> int:
        """Run a statement."""
        return run(self.connection, sql, args).rowcount

    async def execute_many(self, sql: Sql, rows: Sequence[Sequence[Any]]) -> None:
        """Run a statement for each row; where there are many, others who write nothing have their turn in between."""
        for count, args in enumerate(rows, 1):
            run(self.connection, sql, args)
            if count % ROWS_BETWEEN_PAUSES == 0:
                await asyncio.sleep(0)

    async def take_positions(self, count: int) -> int:
        """The first of `count` new positions."""
        last: int = _fetch(self.connection, TAKE_POSITIONS, (count,))[0][0]
        return last - count + 1


def run(connection: sqlite3.Connection, sql: Sql, args: Sequence[Any]) -> sqlite3.Cursor:
    """Run a statement; raises UniqueViolation or DatabaseError."""
    try:
        return connection.execute(sql.sqlite, sql.for_sqlite(args))
    except (sqlite3.Error, OverflowError, UnicodeEncodeError) as error:
        raise _translated(error) from error


def _fetch(connection: sqlite3.Connection, sql: Sql, args: Sequence[Any]) -> list[Row]:
    cursor = run(connection, sql, args)
    try:
        return cursor.fetchall()
    except sqlite3.Error as error:
        raise _translated(error) from error


def _reads(sql: Sql) -> bool:
    return sql.sqlite.lstrip().upper().startswith(("SELECT", "WITH"))


def _translated(error: BaseException) -> DatabaseError:
    if isinstance(error, sqlite3.IntegrityError) and "UNIQUE" in str(error):
        return UniqueViolation(str(error))
    return DatabaseError(str(error))


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, cached_statements=MAX_CACHED_STATEMENTS
    )
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        f"cache_size=-{PAGE_CACHE_KIB}",
        "foreign_keys=OFF",
        f"wal_autocheckpoint={CHECKPOINT_PAGES}",
        "temp_store=MEMORY",
        "journal_size_limit=67108864",
    ):
        connection.execute(f"PRAGMA {pragma}")
    return connection
