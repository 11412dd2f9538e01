"""A server on SQLite, and two who know each other too little."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from inprocess import Client, TestServer, make_config, running_server


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[TestServer]:
    """A server on SQLite."""
    async with running_server(make_config(tmp_path)) as running:
        yield running


@pytest.fixture
async def alice(server: TestServer) -> Client:
    """Who has something to hide."""
    return await server.register("alice")


@pytest.fixture
async def mallory(server: TestServer) -> Client:
    """Who wants to know it."""
    return await server.register("mallory")
