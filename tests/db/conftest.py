"""An empty, migrated database on each engine, and a log of what a Committer announced."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from committing import Log, open_log
from inprocess import make_config
from myelin.app.build import MIGRATIONS
from myelin.db.connection import Database
from myelin.db.migrate import migrate
from myelin.db.open import open_database


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> str:
    """The engine's URL; empty: SQLite in the test's folder."""
    return request.getfixturevalue("postgres_url") if request.param == "postgres" else ""


@pytest.fixture
async def empty(tmp_path: Path, database_url: str) -> AsyncIterator[Database]:
    """A database without any table."""
    database = await open_database(make_config(tmp_path, database_url))
    yield database
    await database.close()


@pytest.fixture
async def database(empty: Database) -> Database:
    """A database with today's schema."""
    await migrate(empty, MIGRATIONS)
    return empty


@pytest.fixture
async def log(database: Database) -> AsyncIterator[Log]:
    """A Committer on the database."""
    log = await open_log(database)
    yield log
    await log.committer.drain()


@pytest.fixture
async def open_another(tmp_path: Path, postgres_url: str) -> AsyncIterator[Callable[[], object]]:
    """Open one more connection pool, as another process would, to the same PostgreSQL database."""
    opened: list[Database] = []

    async def another() -> Database:
        database = await open_database(make_config(tmp_path, postgres_url))
        await migrate(database, MIGRATIONS)
        opened.append(database)
        return database

    yield another
    for database in opened:
        await database.close()
