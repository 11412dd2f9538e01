"""Lists of devices that are fetched anew after something was missed, again and again until it works."""

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol

import structlog

from myelin.db.connection import Database
from myelin.matrix.identifiers import server_name_of
from myelin.services.federation.edus.formats import UserDevices, parsed
from myelin.services.federation.edus.remote_lists import RemoteLists
from myelin.services.federation.peers.errors import PeerFailed, PeerNonsense, PeerRefused
from myelin.services.federation.peers.paths import path_of
from myelin.store.remote_devices import DueList, RemoteDeviceStore
from myelin.telemetry.ambient import Clock

FIRST_RETRY_MS = 30_000
LAST_RETRY_MS = 24 * 3_600_000
"""The wait doubles from the one to the other for as long as the server does not answer."""
LOOK_EVERY_S = 30.0
AT_ONCE = 20
LEASE_MS = 120_000
"""Another process takes over what this one began and did not end."""
TIMEOUT_S = 30.0
MAX_ANSWER_BYTES = 10 * 1024 * 1024
UNKNOWN_USER = frozenset({403, 404})

_log = structlog.get_logger("myelin.federation")


class AskingPeers(Protocol):
    """Signed requests to other servers."""

    async def get(self, server_name: str, path: str, *, timeout_s: float, max_bytes: int) -> Any:
        """The JSON that the server answers. Raises PeerFailed."""
        ...

    async def post(self, server_name: str, path: str, body: Any, *, timeout_s: float, max_bytes: int) -> Any:
        """The JSON that the server answers to a body. Raises PeerFailed."""
        ...


class Resyncs:
    """Fetches what is stale; which lists these are outlives the process."""

    def __init__(self, database: Database, lists: RemoteLists, peers: AskingPeers, clock: Clock) -> None:
        self._store = RemoteDeviceStore(database)
        self._lists = lists
        self._peers = peers
        self._clock = clock
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """There may be something to fetch."""
        self._woken.set()

    async def mark_stale(self, user_id: str) -> None:
        """Something of a user's list was missed."""
        await self._store.mark_stale(user_id, self._clock.now_ms())
        self.wake()

    async def fetch(self, user_id: str, timeout_s: float = TIMEOUT_S) -> None:
        """Get a user's list from their server and keep it. Raises PeerFailed."""
        path = path_of("/_matrix/federation/v1/user/devices/{}", user_id)
        answer = await self._peers.get(server_name_of(user_id), path, timeout_s=timeout_s, max_bytes=MAX_ANSWER_BYTES)
        told = parsed(answer, UserDevices)
        if told is None or told.user_id != user_id:
            raise PeerNonsense("this is no list of devices")
        await self._lists.replace(told)

    async def run(self) -> None:
        """Fetch what is due, for ever."""
        while True:
            self._woken.clear()
            while due := await self._take():
                await asyncio.gather(*(self._try(one) for one in due))
            try:
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._woken.wait()
            except TimeoutError:
                continue

    async def _take(self) -> Sequence[DueList]:
        now = self._clock.now_ms()
        return await self._store.take_due(now, now + LEASE_MS, AT_ONCE)

    async def _try(self, due: DueList) -> None:
        try:
            await self.fetch(due.user_id)
        except PeerRefused as error:
            if error.status in UNKNOWN_USER:
                await self._lists.forget(due.user_id)
            else:
                await self._postpone(due)
        except PeerFailed:
            await self._postpone(due)
        except Exception as error:  # noqa: BLE001  (one list that cannot be kept must not stop the others)
            _log.error("a list of devices could not be kept", user_id=due.user_id, exc_info=error)
            await self._postpone(due)

    async def _postpone(self, due: DueList) -> None:
        wait = min(FIRST_RETRY_MS << min(max(due.attempts - 1, 0), 20), LAST_RETRY_MS)
        await self._store.postpone(due.user_id, self._clock.now_ms() + wait)
