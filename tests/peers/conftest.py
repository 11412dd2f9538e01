"""The server that the peers talk to: a started Myelin, or the one that PEERS_HOMESERVER names."""

import itertools
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server_process import started_server

_suffixes = itertools.count()


@pytest.fixture
async def homeserver(tmp_path: Path) -> AsyncIterator[str]:
    """The base URL of a homeserver with open registration and without rate limits."""
    if given := os.environ.get("PEERS_HOMESERVER"):
        yield given
        return
    async with await started_server(tmp_path) as server:
        yield server.url


@pytest.fixture
def suffix() -> str:
    """What makes this test's user names its own on a server that others used before."""
    return f"{os.getpid()}-{next(_suffixes)}"
