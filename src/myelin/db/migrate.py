"""Bring a database from any older schema, or from nothing, to the one this version works with.

A migration is a file `NNNN_name.sql` (or `.sqlite.sql` and `.postgres.sql` where dialects force a twin), applied once,
in order, each in a transaction of its own. Three words are written once for both engines:
`BIGKEY` (a 64-bit primary key that is SQLite's rowid), `BYTES` (BLOB or BYTEA), `CLUSTERED` (SQLite's WITHOUT ROWID).
"""

import re
from pathlib import Path
from typing import NamedTuple

from myelin.db.connection import Database, DatabaseError, Dialect
from myelin.db.sql import Sql

_WORDS = {
    Dialect.SQLITE: {"BIGKEY": "INTEGER PRIMARY KEY", "BYTES": "BLOB", "CLUSTERED": "WITHOUT ROWID"},
    Dialect.POSTGRES: {"BIGKEY": "BIGINT PRIMARY KEY", "BYTES": "BYTEA", "CLUSTERED": ""},
}
_NAME = re.compile(r"(?P<number>\d{4})_(?P<name>\w+)(\.(?P<dialect>sqlite|postgres))?\.sql")
_VERSIONS = "CREATE TABLE IF NOT EXISTS schema_migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL);"
_APPLIED = Sql("SELECT number FROM schema_migrations ORDER BY number")
_LOCK = "SET LOCAL lock_timeout = '10s'; SELECT pg_advisory_xact_lock(7316589);"


class SchemaTooNew(DatabaseError):
    """The database was written by a newer version."""


class Migration(NamedTuple):
    """One step of the schema."""

    number: int
    name: str
    text: str


def read_migrations(folder: Path, dialect: Dialect) -> list[Migration]:
    """The migrations of a folder in order, written for one engine."""
    found = []
    for path in sorted(folder.glob("*.sql")):
        match = _NAME.fullmatch(path.name)
        if match is None:
            raise DatabaseError(f"{path.name} is not named NNNN_name.sql")
        if match["dialect"] in (None, dialect.value):
            text = path.read_text(encoding="utf-8")
            for word, meaning in _WORDS[dialect].items():
                text = re.sub(rf"\b{word}\b", meaning, text)
            found.append(Migration(int(match["number"]), match["name"], text))
    return found


async def migrate(database: Database, folder: Path) -> int:
    """Apply what is missing; the number applied. Raises SchemaTooNew rather than touch a newer database."""
    migrations = read_migrations(folder, database.dialect)
    # Creating a table at once from two processes fails in PostgreSQL, IF NOT EXISTS or not.
    await database.script(_VERSIONS if database.dialect is Dialect.SQLITE else f"{_LOCK}\n{_VERSIONS}")
    applied = {row[0] for row in await database.fetch(_APPLIED, ())}
    known = {m.number for m in migrations}
    if newer := sorted(applied - known):
        raise SchemaTooNew(
            f"the database has schema step {newer[-1]}, this version of Myelin knows {max(known)}: "
            "run the newer version, or restore a backup made by this one"
        )
    missing = [m for m in migrations if m.number not in applied]
    for migration in missing:
        await _apply(database, migration)
    return len(missing)


async def _apply(database: Database, migration: Migration) -> None:
    record = f"INSERT INTO schema_migrations (number, name) VALUES ({migration.number}, '{migration.name}');"  # noqa: S608  (from a file name of digits and word characters)
    if database.dialect is Dialect.SQLITE:
        await database.script(f"{migration.text}\n{record}")
        return
    # Another process may have been faster: the lock orders them, the condition makes the second a no-op.
    guarded = f"""{_LOCK}
DO $migration$ BEGIN
IF NOT EXISTS (SELECT 1 FROM schema_migrations WHERE number = {migration.number}) THEN
{migration.text}
{record}
END IF; END $migration$;"""  # noqa: S608  (the project's own files)
    await database.script(guarded)
