"""A running server for each test of the API, on each of the two engines."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from held_clock import HeldClock
from inprocess import TestServer, make_config, running_server


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> str:
    """The engine's URL; empty: SQLite in the test's folder."""
    return request.getfixturevalue("postgres_url") if request.param == "postgres" else ""


@pytest.fixture
def clock() -> HeldClock:
    """The clock of `server_at`."""
    return HeldClock()


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[TestServer]:
    """A server on SQLite."""
    async with running_server(make_config(tmp_path)) as running:
        yield running


@pytest.fixture
async def server_at(tmp_path: Path, clock: HeldClock) -> AsyncIterator[TestServer]:
    """A server on SQLite whose time stands still."""
    async with running_server(make_config(tmp_path), clock) as running:
        yield running


@pytest.fixture
async def server_on_each(tmp_path: Path, database_url: str) -> AsyncIterator[TestServer]:
    """A server on SQLite, and the same test again on PostgreSQL."""
    async with running_server(make_config(tmp_path, database_url)) as running:
        yield running
