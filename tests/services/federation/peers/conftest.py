"""The ground of loopback servers, a database on each engine, and a clock that stands still."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from held_clock import HeldClock
from inprocess import make_config
from myelin.app.build import MIGRATIONS
from myelin.db.connection import Database
from myelin.db.migrate import migrate
from myelin.db.open import open_database
from tls_peers import Ground, open_ground


@pytest.fixture
async def ground(tmp_path: Path) -> AsyncIterator[Ground]:
    async with open_ground(tmp_path) as ground:
        yield ground


@pytest.fixture
def clock() -> HeldClock:
    return HeldClock()


@pytest.fixture
async def lite(tmp_path: Path) -> AsyncIterator[Database]:
    """SQLite alone, where the engine makes no difference."""
    database = await open_database(make_config(tmp_path))
    await migrate(database, MIGRATIONS)
    yield database
    await database.close()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else ""
    database = await open_database(make_config(tmp_path, url))
    await migrate(database, MIGRATIONS)
    yield database
    await database.close()
