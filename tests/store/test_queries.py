"""Every declared statement is one that both engines take."""

import importlib
import pkgutil
import sqlite3
from pathlib import Path

import asyncpg

import myelin.store
from inprocess import make_config
from myelin.app.build import MIGRATIONS
from myelin.db.migrate import migrate
from myelin.db.open import open_database
from myelin.db.query import REGISTRY
from myelin.db.sql import Sql
from myelin.db.sqlite import SqliteDatabase


def declared() -> list[tuple[str, Sql]]:
    for module in pkgutil.iter_modules(myelin.store.__path__, "myelin.store."):
        importlib.import_module(module.name)
    return REGISTRY


async def test_sqlite_prepares_every_statement(tmp_path: Path) -> None:
    database = await open_database(make_config(tmp_path))
    assert isinstance(database, SqliteDatabase)
    await migrate(database, MIGRATIONS)
    refused = []
    for name, sql in declared():
        if not name.endswith(".bulk"):
            try:
                database.writer.execute(f"EXPLAIN {sql.sqlite}", [None] * len(sql.names))
            except sqlite3.Error as error:
                refused.append(f"{name}: {error}: {sql.sqlite}")
    await database.close()
    assert refused == []


async def test_postgres_prepares_every_statement(tmp_path: Path, postgres_url: str) -> None:
    database = await open_database(make_config(tmp_path, postgres_url))
    await migrate(database, MIGRATIONS)
    await database.close()
    connection = await asyncpg.connect(postgres_url)
    refused = []
    for name, sql in declared():
        if not name.endswith(".single"):
            try:
                await connection.prepare(sql.postgres)
            except asyncpg.PostgresError as error:
                refused.append(f"{name}: {error}: {sql.postgres}")
    await connection.close()
    assert refused == []
