"""A server that tests throw anything at: what must never come of it is collected, whoever asked."""

import asyncio
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from inprocess import Answer, Client, TestServer, make_config, running_server
from myelin.config.sections.storage import Sync

DEADLINE_SECONDS = 60
"""For one request: long polls are shorter than that."""
EXPECTED = frozenset({"M_NOT_YET_UPLOADED"})
"""Errors of 500 and more that the spec asks for."""
OF_OTHERS = frozenset({502, 504})
"""Another machine, which the request names, failed: an error of ours is a 500, and in `failures`."""


class Fuzzed:
    """The server, and the traceback of each error that was our fault."""

    def __init__(self, server: TestServer) -> None:
        self.server = server
        self.failures: list[str] = []
        server.app.kernel._observer.failed = self._failed
        self._feed = server.app.ground.feed
        self._users = 0

    def _failed(self, endpoint: str, method: str, error: BaseException) -> None:
        self.failures.append(f"{method} {endpoint}: " + "".join(traceback.format_exception(error)))

    async def user(self) -> Client:
        """A new user."""
        self._users += 1
        return await self.server.register(f"u{self._users}")

    async def ask(self, client: Client, method: str, path: str, body: Any = None) -> Answer:
        """An answer in time that is no failure of ours, and that the spec's schema takes."""
        self.failures.clear()
        try:
            answer = await asyncio.wait_for(client(method, path, body), DEADLINE_SECONDS)
        except TimeoutError:
            raise AssertionError(f"no answer within {DEADLINE_SECONDS} s") from None
        errcode = answer.json.get("errcode") if isinstance(answer.json, dict) else None
        assert not self.failures, "\n".join(self.failures)
        assert answer.status < 500 or errcode in EXPECTED or answer.status in OF_OTHERS, (answer.status, answer.json)
        assert self._feed.failures == 0, "a subscriber of the feed failed: see the log"
        return answer


@asynccontextmanager
async def fuzzed_server(folder: Path, database_url: str) -> AsyncIterator[Fuzzed]:
    """The server for the time of the block."""
    config = make_config(folder, database_url, sync=Sync(max_timeout_ms=100))
    async with running_server(config) as server:
        yield Fuzzed(server)
