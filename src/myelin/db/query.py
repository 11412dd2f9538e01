"""Repositories as declarations: a method's SQL stands in its decorator, its rows' shape in its return annotation.

    class RoomStore(Store):
        @query("SELECT room_id, room_version FROM rooms WHERE room_id IN :room_ids")
        async def rooms(self, room_ids: list[str]) -> list[Room]: ...

        @statement("INSERT INTO rooms (room_id, room_version) VALUES (:room_id, :room_version)")
        def add_room(self, room_id: str, room_version: str) -> Statement: ...

`list[X]` gives all rows, `X | None` the first or None, `X` the only one (a missing row is an error), `int` on a
statement that returns no rows its row count, `None` nothing. `X` is a NamedTuple or a single column's type.
A `@statement` is not run but handed out, for a Write of the Committer.
"""

import inspect
import types
import typing
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar

from myelin.db.connection import Connection, DatabaseError, Row
from myelin.db.sql import Sql, Statement

P = ParamSpec("P")
T = TypeVar("T")
S = TypeVar("S", bound="Store")

REGISTRY: list[tuple[str, Sql]] = []
"""Every declared statement, so that tests can prepare them all on both engines."""


class Store:
    """A repository, bound to a connection: the pool or a transaction."""

    __slots__ = ("connection",)

    def __init__(self, connection: Connection) -> None:
        self.connection = connection


def query(
    text: str | None = None, *, sqlite: str | None = None, postgres: str | None = None, slow: bool = False
) -> Callable[
    [Callable[Concatenate[S, P], Coroutine[Any, Any, T]]], Callable[Concatenate[S, P], Coroutine[Any, Any, T]]
]:
    """Turn a declared method into one that runs this SQL with its arguments, by name."""
    sql = Sql(text, sqlite=sqlite, postgres=postgres)

    def declare(
        method: Callable[Concatenate[S, P], Coroutine[Any, Any, T]],
    ) -> Callable[Concatenate[S, P], Coroutine[Any, Any, T]]:
        REGISTRY.append((method.__qualname__, sql))
        run = _runner(method, sql, slow)
        run.__doc__, run.__name__, run.__qualname__ = method.__doc__, method.__name__, method.__qualname__
        return run

    return declare


def statement(
    text: str | None = None, *, sqlite: str | None = None, postgres: str | None = None
) -> Callable[[Callable[P, Statement]], Callable[P, Statement]]:
    """Turn a declared function into one that builds a Statement of this SQL with its arguments, by name."""
    sql = Sql(text, sqlite=sqlite, postgres=postgres)

    def declare(function: Callable[P, Statement]) -> Callable[P, Statement]:
        REGISTRY.append((function.__qualname__, sql))
        arrange = _arrange(function, sql, skip=0)

        def build(*args: Any, **kwargs: Any) -> Statement:
            return Statement(sql, arrange(*args, **kwargs))

        build.__doc__, build.__name__, build.__qualname__ = function.__doc__, function.__name__, function.__qualname__
        return build

    return declare


def _arrange(function: Callable[..., Any], sql: Sql, *, skip: int) -> Callable[..., Sequence[Any]]:
    """A function that puts call arguments into the SQL's order, compiled once from the signature."""
    parameters = list(inspect.signature(function).parameters.values())[skip:]
    names = [p.name for p in parameters]
    missing = set(sql.names) - set(names)
    if missing:
        raise TypeError(f"{function.__qualname__}: no argument for :{', :'.join(sorted(missing))}")
    defaults = {f"_d_{p.name}": p.default for p in parameters if p.default is not p.empty}
    declared = ", ".join(n if f"_d_{n}" not in defaults else f"{n}=_d_{n}" for n in names)
    body = "".join(f"{n}, " for n in sql.names)
    compiled: Callable[..., Sequence[Any]] = eval(f"lambda {declared}: ({body})", defaults)  # noqa: S307  (our own signatures, at import)
    return compiled


def _runner(method: Callable[..., Any], sql: Sql, slow: bool) -> Callable[..., Any]:
    arrange = _arrange(method, sql, skip=1)
    returns = typing.get_type_hints(method)["return"]
    if returns is int and "RETURNING" not in sql.sqlite.upper() and not _selects(sql):
        return _counting(arrange, sql)
    if returns is type(None):
        return _silent(arrange, sql)
    shape, item = _shape(returns)
    decode = _decoder(item)
    if shape == "list":
        return _listing(arrange, sql, slow, decode)
    return _single(arrange, sql, slow, decode, required=shape == "one", name=method.__qualname__)


def _selects(sql: Sql) -> bool:
    return sql.sqlite.lstrip().upper().startswith(("SELECT", "WITH"))


def _counting(arrange: Callable[..., Sequence[Any]], sql: Sql) -> Callable[..., Any]:
    async def run(self: Store, *args: Any, **kwargs: Any) -> int:
        return await self.connection.execute(sql, arrange(*args, **kwargs))

    return run


def _silent(arrange: Callable[..., Sequence[Any]], sql: Sql) -> Callable[..., Any]:
    async def run(self: Store, *args: Any, **kwargs: Any) -> None:
        await self.connection.execute(sql, arrange(*args, **kwargs))

    return run


def _listing(
    arrange: Callable[..., Sequence[Any]], sql: Sql, slow: bool, decode: Callable[[Row], Any] | None
) -> Callable[..., Any]:
    async def run(self: Store, *args: Any, **kwargs: Any) -> list[Any]:
        rows = await self.connection.fetch(sql, arrange(*args, **kwargs), slow=slow)
        return list(rows) if decode is None else [decode(row) for row in rows]

    return run


def _single(
    arrange: Callable[..., Sequence[Any]],
    sql: Sql,
    slow: bool,
    decode: Callable[[Row], Any] | None,
    *,
    required: bool,
    name: str,
) -> Callable[..., Any]:
    async def run(self: Store, *args: Any, **kwargs: Any) -> Any:
        rows = await self.connection.fetch(sql, arrange(*args, **kwargs), slow=slow)
        if not rows:
            if required:
                raise DatabaseError(f"{name}: no row where there must be one")
            return None
        return rows[0] if decode is None else decode(rows[0])

    return run


def _shape(returns: Any) -> tuple[str, Any]:
    if typing.get_origin(returns) is list:
        return "list", typing.get_args(returns)[0]
    if typing.get_origin(returns) in (typing.Union, types.UnionType):
        items = [a for a in typing.get_args(returns) if a is not type(None)]
        return "optional", items[0]
    return "one", returns


def _decoder(item: Any) -> Callable[[Row], Any] | None:
    if item is bool:
        return lambda row: bool(row[0])
    if isinstance(item, type) and issubclass(item, tuple) and hasattr(item, "_make"):
        return _tuple_decoder(item)
    if typing.get_origin(item) is tuple:
        return tuple
    return lambda row: row[0]


def _tuple_decoder(item: Any) -> Callable[[Row], Any]:
    flags = [i for i, kind in enumerate(typing.get_type_hints(item).values()) if kind is bool]
    make: Callable[[Row], Any] = item._make
    if not flags:
        return make

    def decode(row: Row) -> Any:
        values = list(row)
        for i in flags:
            values[i] = bool(values[i])
        return make(values)

    return decode
