"""Servers with the sign-in service, on each engine."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from held_clock import HeldClock
from sign_in_house import House, house


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> str:
    """The engine's URL; empty: SQLite in the test's folder."""
    return request.getfixturevalue("postgres_url") if request.param == "postgres" else ""


@pytest.fixture
def clock() -> HeldClock:
    """The clock of the house."""
    return HeldClock()


@pytest.fixture
async def home(tmp_path: Path, clock: HeldClock, database_url: str) -> AsyncIterator[House]:
    """A server with the sign-in service, whose time stands still."""
    async with house(tmp_path, clock, database_url) as made:
        yield made
