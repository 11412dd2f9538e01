"""PostgreSQL through asyncpg: a pool, and transactions on one of its connections."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import asyncpg

from myelin.db.connection import MOVE_LOG, TAKE_POSITIONS, DatabaseError, Dialect, Row, UniqueViolation
from myelin.db.sql import Sql

CONNECT_TIMEOUT_S = 10
STATEMENT_CACHE = 512


class PostgresDatabase:
    """A pool of connections to one database."""

    dialect = Dialect.POSTGRES

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool
        self._for_log: Any = None
        """The connection of the last transaction that moved the log, ready for the next."""

    @classmethod
    async def connect(
        cls, url: str, *, pool_size: int, statement_timeout_ms: int = 0, prepared_statements: bool = True
    ) -> "PostgresDatabase":
        """Open the pool. Raises DatabaseError when the server cannot be reached."""
        try:
            pool = await asyncpg.create_pool(
                url,
                min_size=1,
                max_size=pool_size,
                timeout=CONNECT_TIMEOUT_S,
                command_timeout=statement_timeout_ms / 1000 or None,
                statement_cache_size=STATEMENT_CACHE if prepared_statements else 0,
                max_inactive_connection_lifetime=0,
                reset=_leave_as_is,
                server_settings={"application_name": "myelin", "jit": "off"},
            )
        except (OSError, asyncpg.PostgresError, ValueError) as error:
            raise DatabaseError(f"cannot connect to PostgreSQL: {error}") from error
        return cls(pool)

    async def fetch(self, sql: Sql, args: Sequence[Any], *, slow: bool = False) -> Sequence[Row]:  # noqa: ARG002  (the pool has room)
        """Rows as of the last commit."""
        async with self._borrowed() as connection:
            rows: Sequence[Row] = await connection.fetch(sql.postgres, *args)
            return rows

    async def execute(self, sql: Sql, args: Sequence[Any]) -> int:
        """Run one statement on its own."""
        async with self._borrowed() as connection:
            return _count(await connection.execute(sql.postgres, *args))

    async def execute_many(self, sql: Sql, rows: Sequence[Sequence[Any]]) -> None:
        """Run a statement for each row, all or none."""
        async with self._borrowed() as connection:
            await connection.executemany(sql.postgres, rows)

    @asynccontextmanager
    async def transaction(self, *, positions: int = 0) -> AsyncIterator["PostgresTransaction"]:
        """One connection, in one transaction."""
        begin = f"BEGIN; {MOVE_LOG.format(count=positions)}" if positions else "BEGIN"
        async with self._kept() if positions else self._borrowed() as connection:
            try:
                await connection.execute(begin)
                yield PostgresTransaction(connection)
                await _commit(connection)
            except BaseException:
                if _is_open(connection):
                    await connection.execute("ROLLBACK")
                raise

    async def script(self, text: str) -> None:
        """Run several statements, all or none."""
        async with self._borrowed() as connection, connection.transaction():
            await connection.execute(text)

    async def close(self) -> None:
        """Wait for what runs, then close every connection."""
        if self._for_log is not None:
            await self._pool.release(self._for_log)
        await self._pool.close()

    @asynccontextmanager
    async def _kept(self) -> AsyncIterator[Any]:
        """A connection that does not go back to the pool while it is sound: that costs as much as a round trip."""
        with _translated():
            connection, self._for_log = self._for_log, None
            if connection is None or not _is_open(connection):
                connection = await self._pool.acquire()
            try:
                yield connection
            finally:
                if self._for_log is None and _is_open(connection):
                    self._for_log = connection
                else:
                    await self._pool.release(connection)

    @asynccontextmanager
    async def _borrowed(self) -> AsyncIterator[Any]:
        with _translated():
            async with self._pool.acquire() as connection:
                yield connection


class PostgresTransaction:
    """A connection inside one transaction."""

    __slots__ = ("_connection",)
    dialect = Dialect.POSTGRES

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def fetch(self, sql: Sql, args: Sequence[Any], *, slow: bool = False) -> Sequence[Row]:  # noqa: ARG002  (one connection)
        """Rows as this transaction sees them."""
        rows: Sequence[Row] = await self._connection.fetch(sql.postgres, *args)
        return rows

    async def execute(self, sql: Sql, args: Sequence[Any]) -> int:
        """Run a statement."""
        return _count(await self._connection.execute(sql.postgres, *args))

    async def execute_many(self, sql: Sql, rows: Sequence[Sequence[Any]]) -> None:
        """Run a statement for each row, in one flight."""
        await self._connection.executemany(sql.postgres, rows)

    async def take_positions(self, count: int) -> int:
        """The first of `count` new positions."""
        last: int = (await self._connection.fetchrow(TAKE_POSITIONS.postgres, count))[0]
        return last - count + 1


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except asyncpg.UniqueViolationError as error:
        raise UniqueViolation(str(error)) from error
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        raise DatabaseError(f"{type(error).__name__}: {error}") from error


def _is_open(connection: Any) -> bool:
    try:
        return not connection.is_closed()
    except asyncpg.InterfaceError:  # the pool took it back when it broke
        return False


async def _commit(connection: Any) -> None:
    # Where a statement failed, and nobody said so, PostgreSQL answers ROLLBACK and means no error by it.
    if await connection.execute("COMMIT") != "COMMIT":
        raise DatabaseError("a statement of the transaction had failed")


async def _leave_as_is(_connection: Any) -> None:
    """A connection goes back as it is: nothing here changes a session, and asyncpg's reset is a round trip more."""


def _count(tag: str) -> int:
    """The row count in a command tag such as `UPDATE 3`."""
    word = tag.rpartition(" ")[2]
    return int(word) if word.isdigit() else 0
