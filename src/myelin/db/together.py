"""All claims and guards of a batch in one PostgreSQL statement: won as a whole, or not at all.

    WITH log AS (SELECT value - n AS before ...), changed_0 AS (INSERT ... RETURNING ...), changed_1 AS (UPDATE ...)
    SELECT before, (SELECT count(*) FROM changed_0) + (SELECT count(*) FROM changed_1) FROM log

It runs after the transaction has taken its positions, so it sees all that any other process has committed. Positions
among the arguments count from 1: a `ClaimSql.together` adds `log.before` to them.
"""

import re
from collections.abc import Sequence
from functools import cache

from myelin.db.claims import Claim, ClaimSql
from myelin.db.connection import Connection, DatabaseError
from myelin.db.sql import Sql

_LOG = "WITH log AS (SELECT value - :taken AS before FROM position WHERE name = 'log')"
_NAME = re.compile(r"(?<!:):([a-z_]+)")


class Contended(DatabaseError):
    """Somebody else won one of the changes; nothing of the batch was kept."""


def can_be_together(changes: Sequence[Claim]) -> bool:
    """Whether every change has a form that knows positions only from the statement itself."""
    return all(change.sql.together is not None for change in changes)


async def all_won(connection: Connection, taken: int, changes: Sequence[Claim]) -> int:
    """Make all the changes; the position before the first of those `taken`. Raises Contended if one was not won."""
    by_sql: dict[ClaimSql, list[Claim]] = {}
    for change in changes:
        by_sql.setdefault(change.sql, []).append(change)
    columns = [list(c) for rows in by_sql.values() for c in zip(*(row.args for row in rows), strict=True)]
    [(before, won)] = await connection.fetch(_statement(tuple(by_sql)), [taken, *columns])
    if won != len(changes):
        raise Contended("a claim or a guard was lost")
    return int(before)


@cache
def _statement(kinds: tuple[ClaimSql, ...]) -> Sql:
    texts = [_NAME.sub(rf":c{i}_\1", kind.together or "") for i, kind in enumerate(kinds)]
    changed = "".join(f", changed_{i} AS ({text})" for i, text in enumerate(texts))
    counts = " + ".join(f"(SELECT count(*) FROM changed_{i})" for i in range(len(kinds))) or "0"  # noqa: S608  (a number)
    return Sql(sqlite="SELECT :taken", postgres=f"{_LOG}{changed} SELECT before, {counts} FROM log")  # noqa: S608  (declared texts)
