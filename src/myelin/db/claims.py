"""Conditional writes in bulk: which of these rows could be inserted or updated?

A `ClaimSql` changes one row under a condition and returns its key. On SQLite it runs once a row; on PostgreSQL once
for all, over arrays, so that a batch costs one round trip.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from myelin.db.connection import Connection, Dialect
from myelin.db.query import REGISTRY
from myelin.db.sql import Sql


class ClaimSql:
    """A conditional change of one row.

    `single` takes one row's columns by name, `bulk` the same names as arrays; both return the key columns of the rows
    they changed, the first `key` columns of the arguments. `undo` takes the key columns and takes an insert back.
    `together` is the bulk form within a statement in which `log.before` is added to positions (`together.py`).
    """

    __slots__ = ("bulk", "key", "single", "together", "undo")

    def __init__(
        self, name: str, *, single: str, bulk: str, key: int, undo: str | None = None, together: str | None = None
    ) -> None:
        self.single = Sql(single)
        self.bulk = Sql(bulk)
        if self.single.names != self.bulk.names:
            raise TypeError(f"{name}: the bulk form must name the parameters in the same order")
        self.key = key
        self.together = together
        self.undo = Sql(undo) if undo else None
        REGISTRY.append((f"{name}.single", self.single))
        REGISTRY.append((f"{name}.bulk", Sql(sqlite=single, postgres=bulk)))


class Claim(NamedTuple):
    """One conditional change."""

    sql: ClaimSql
    args: tuple[Any, ...]


async def won(connection: Connection, claims: Sequence[Claim]) -> list[bool]:
    """Make the changes; for each, in order, whether its condition held. Of two claims to one key the first wins."""
    outcome = [False] * len(claims)
    by_sql: dict[ClaimSql, list[int]] = defaultdict(list)
    for index, claim in enumerate(claims):
        by_sql[claim.sql].append(index)
    for sql, indexes in by_sql.items():
        if connection.dialect is Dialect.SQLITE:
            for i in indexes:
                outcome[i] = bool(await connection.fetch(sql.single, claims[i].args))
        else:
            await _bulk(connection, sql, claims, indexes, outcome)
    return outcome


async def _bulk(
    connection: Connection, sql: ClaimSql, claims: Sequence[Claim], indexes: list[int], outcome: list[bool]
) -> None:
    columns = [list(column) for column in zip(*(claims[i].args for i in indexes), strict=True)]
    changed = {tuple(row) for row in await connection.fetch(sql.bulk, columns)}
    for i in indexes:
        key = claims[i].args[: sql.key]
        if key in changed:
            changed.discard(key)
            outcome[i] = True


async def undo(connection: Connection, claims: Sequence[Claim]) -> None:
    """Take back inserted claims."""
    for claim in claims:
        if claim.sql.undo is not None:
            await connection.execute(claim.sql.undo, claim.args[: claim.sql.key])
