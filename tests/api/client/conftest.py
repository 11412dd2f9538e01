"""A server with media settings of its own."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from inprocess import TestServer, make_config, running_server
from myelin.config.sections.storage import Media

MakeServer = Callable[..., AbstractAsyncContextManager[TestServer]]


@pytest.fixture
def media_server(tmp_path: Path) -> MakeServer:
    """Start a server with these keys in its `[media]`."""

    @asynccontextmanager
    async def start(**keys: Any) -> AsyncIterator[TestServer]:
        async with running_server(make_config(tmp_path, media=Media(**keys))) as server:
            yield server

    return start
