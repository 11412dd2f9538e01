"""What a repository needs of a database: rows, row counts, and transactions."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from enum import Enum
from typing import Any, Protocol

from myelin.db.sql import Sql
from myelin.matrix.errors import MyelinError

Row = Sequence[Any]


class Dialect(Enum):
    """Which engine stands behind a connection."""

    SQLITE = "sqlite"
    POSTGRES = "postgres"


class DatabaseError(MyelinError):
    """The database refused a statement or cannot be reached."""


class UniqueViolation(DatabaseError):
    """A row with this key is already there."""


class Connection(Protocol):
    """Runs statements: the pool itself (each statement on its own) or one transaction."""

    dialect: Dialect

    async def fetch(self, sql: Sql, args: Sequence[Any], *, slow: bool = False) -> Sequence[Row]:
        """The rows of a query. `slow` says that it may read much and must not hold up others."""
        ...

    async def execute(self, sql: Sql, args: Sequence[Any]) -> int:
        """Run a statement; the number of rows it touched."""
        ...

    async def execute_many(self, sql: Sql, rows: Sequence[Sequence[Any]]) -> None:
        """Run a statement once for each row of arguments."""
        ...


class Transaction(Connection, Protocol):
    """A connection inside one transaction."""

    async def take_positions(self, count: int) -> int:
        """Take `count` positions of the log; the first of them. Holds the log until the transaction ends."""
        ...


class Database(Connection, Protocol):
    """The database of one process."""

    def transaction(self, *, positions: int = 0) -> AbstractAsyncContextManager[Transaction]:
        """A transaction that commits durably when the block ends and is undone when it raises.

        It begins by moving the log on by `positions`, which holds the log until it ends.
        """
        ...

    async def script(self, text: str) -> None:
        """Run several statements without arguments (migrations)."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


MOVE_LOG = "UPDATE position SET value = value + {count} WHERE name = 'log'"
TAKE_POSITIONS = Sql(MOVE_LOG.format(count=":count") + " RETURNING value")
"""The one mutex of the log: its row lock makes commit order position order."""
