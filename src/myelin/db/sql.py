"""One SQL text for two engines: `:name` parameters rendered once to what each engine takes.

    :name        -> $1 (PostgreSQL)            ?1 (SQLite)
    IN :names    -> = ANY($1)                  IN (SELECT value FROM json_each(?1))
    NOT IN :x    -> <> ALL($1)                 NOT IN (SELECT value FROM json_each(?1))

Where the engines must differ, both texts are given. Lists travel to SQLite as JSON.
"""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

_PARAMETER = re.compile(r"(?P<no>\bNOT\s+)?(?P<in>\bIN\s+)?(?<!:):(?P<name>[a-z_][a-z0-9_]*)", re.IGNORECASE)


class Sql:
    """A statement in both dialects, with its parameters in order."""

    __slots__ = ("lists", "names", "postgres", "sqlite")

    def __init__(self, text: str | None = None, *, sqlite: str | None = None, postgres: str | None = None) -> None:
        names: list[str] = []
        lists: set[int] = set()
        self.sqlite = _render(sqlite or text or "", names, lists, _sqlite_parameter)
        self.postgres = _render(postgres or text or "", names, lists, _postgres_parameter)
        self.names = tuple(names)
        self.lists = frozenset(lists)

    def for_sqlite(self, args: Sequence[Any]) -> Sequence[Any]:
        """Arguments as SQLite takes them: lists as JSON text."""
        if not self.lists:
            return args
        return [orjson.dumps(list(a)).decode() if i in self.lists else a for i, a in enumerate(args)]


class Statement(NamedTuple):
    """A statement with its arguments, to be run by whoever holds the transaction."""

    sql: Sql
    args: Sequence[Any]


def _sqlite_parameter(number: int, is_in: bool, is_not: bool) -> str:
    if is_in:
        return f"{'NOT ' if is_not else ''}IN (SELECT value FROM json_each(?{number}))"  # noqa: S608  (a parameter's number)
    return f"{'NOT ' if is_not else ''}?{number}"


def _postgres_parameter(number: int, is_in: bool, is_not: bool) -> str:
    if is_in:
        return f"<> ALL(${number})" if is_not else f"= ANY(${number})"
    return f"{'NOT ' if is_not else ''}${number}"


def _render(text: str, names: list[str], lists: set[int], form: Any) -> str:
    def one(match: re.Match[str]) -> str:
        name = match["name"]
        if name not in names:
            names.append(name)
        index = names.index(name)
        if match["in"]:
            lists.add(index)
        rendered: str = form(index + 1, bool(match["in"]), bool(match["no"]))
        return rendered

    return _PARAMETER.sub(one, text)
