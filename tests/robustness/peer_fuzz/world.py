"""A server whose peers are all made up, and what must never come of anything that they send."""

import asyncio
import contextlib
import logging
import traceback
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from structlog.testing import capture_logs

from inprocess import Client, TestServer, make_config, running_server
from media import picture
from myelin.config.sections.storage import Sync
from myelin.db.connection import Database
from myelin.db.sql import Sql
from myelin.matrix.signing import sign_json
from myelin.services.federation.peers.errors import PeerRefused, PeerUnreachable
from myelin.services.federation.peers.key_ring import KeyRing
from myelin.services.federation.peers.peers import Peers
from myelin.services.federation.peers.server_keys import read_answer
from remote_room import KEY
from robustness.peer_fuzz.wire import Got, Sent, Wire

PEERS = ("peer1", "peer2", "peer3")
"""The first two take part in the rooms, the third never does."""
VALID_MS = 7 * 86_400_000
NOT_OURS = frozenset({502, 504})
"""Another server failed, which the request names."""
EXPECTED = frozenset({"M_NOT_YET_UPLOADED"})
"""Errors of 500 and more that the spec asks for."""
TABLES = Sql(
    sqlite="SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
    postgres="SELECT tablename FROM pg_tables WHERE schemaname = 'public'",
)


class World:
    """The server, its user Alice, and what went wrong in it."""

    def __init__(self, server: TestServer, lines: list[Any]) -> None:
        self.server = server
        self.services = server.app.services
        self.database: Database = server.app.ground.database
        self.wire = Wire(server.base)
        self.alice: Client
        self.carl: Client
        """Is in no room, and may be invited."""
        self.media_id = ""
        self.answer: Callable[[str, str, Any], Any] = _silent
        """What other servers answer to a GET or POST: server, path, body."""
        self.inputs = 0
        self.statuses: Counter[int] = Counter()
        self._lines = lines
        self._failures: list[str] = []
        self._handler = _Errors(self._failures)
        server.app.kernel._observer.failed = self._failed

    async def begin(self) -> None:
        """Make Alice; put the script in the place of all other servers."""
        logging.getLogger().addHandler(self._handler)
        self.alice = await self.server.register("alice")
        self.carl = await self.server.register("carl")
        uploaded = await self.alice("POST", "/_matrix/media/v3/upload", picture(8, 8))
        self.media_id = uploaded.ok()["content_uri"].rpartition("/")[2]
        await self.alice.create_room(room_alias_name="known", visibility="public", preset="public_chat")
        peers = self.services[Peers]
        for name, method in (("get", self._get), ("post", self._ask), ("put", self._ask)):
            setattr(peers, name, method)
        ring = self.services[KeyRing]

        async def fetch_none(*_: object, **__: object) -> None:
            """Nobody but those whose keys are known has any."""

        ring._fetcher.fetch = ring._fetcher.fetch_urgently = fetch_none
        now = self.server.app.ground.clock.now_ms()
        await ring._known.learn([read_answer(_published(name, now + VALID_MS), name, now) for name in PEERS], now)

    async def end(self) -> None:
        """Hang up."""
        logging.getLogger().removeHandler(self._handler)
        await self.wire.close()

    def _failed(self, endpoint: str, method: str, error: BaseException) -> None:
        self._failures.append(f"{method} {endpoint}: " + "".join(traceback.format_exception(error)))

    async def _get(self, server: str, path: str, *, query: Any = (), **_: Any) -> Any:
        return await self._ask(server, path, list(query))

    async def _ask(self, server: str, path: str, body: Any = None, **_: Any) -> Any:
        await asyncio.sleep(0)
        return self.answer(server, path, body)

    async def ask(self, sent: Sent) -> Got:
        """The answer to an input, which must be none that says that we failed."""
        self.inputs += 1
        got = await self.wire.ask(sent)
        self.statuses[got.status] += 1
        self.check(sent)
        is_fine = got.status < 500 or got.status in NOT_OURS or got.errcode in EXPECTED
        assert is_fine, (got.status, got.body[:500], sent)
        return got

    def check(self, about: Any = None) -> None:
        """Nothing has failed where nobody sees it: no endpoint, no task, nothing that logs an error."""
        bad = [line for line in self._lines if line["log_level"] in ("error", "critical", "exception")]
        self._lines.clear()
        found, self._failures[:] = [*self._failures, *(_told(line) for line in bad)], []
        assert not found, "\n".join([*found, repr(about)[:4000]])
        assert self.server.app.ground.feed.failures == 0, about

    async def rows(self) -> dict[str, int]:
        """How many rows each table has."""
        names = [row[0] for row in await self.database.fetch(TABLES, ())]
        return {name: (await self.database.fetch(Sql(f"SELECT COUNT(*) FROM {name}"), ()))[0][0] for name in names}


class _Errors(logging.Handler):
    """What libraries log as errors, asyncio's tasks that nobody waited for among it."""

    def __init__(self, found: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._found = found

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            text += "".join(traceback.format_exception(record.exc_info[1]))
        self._found.append(text)


def _told(line: dict[str, Any]) -> str:
    error = line.get("exc_info")
    trace = "".join(traceback.format_exception(error)) if isinstance(error, BaseException) else ""
    return f"{line}\n{trace}"


def _published(server_name: str, until_ms: int) -> dict[str, Any]:
    keys = {KEY.key_id: {"key": KEY.verify_key.to_base64()}}
    told = {"server_name": server_name, "verify_keys": keys, "old_verify_keys": {}, "valid_until_ts": until_ms}
    return sign_json(told, server_name, KEY)


def _silent(_server: str, path: str, _body: Any) -> Any:
    if "/send/" in path:
        return {"pdus": {}}
    raise PeerRefused(404, "M_NOT_FOUND", "no")


def unreachable(_server: str, _path: str, _body: Any) -> Any:
    """Nobody is there."""
    raise PeerUnreachable("nobody answers")


@contextlib.asynccontextmanager
async def fuzzed_world(folder: Path, url: str = "") -> AsyncIterator[World]:
    """The server for the time of the block; its caches are small, so that what grows is soon seen."""
    config = make_config(folder, url, sync=Sync(max_timeout_ms=1000, room_cache_mib=2, event_cache_mib=2))
    with capture_logs() as lines:
        async with running_server(config) as server:
            world = World(server, lines)
            try:
                await world.begin()
                yield world
            finally:
                await world.end()
