"""Servers that fail are left alone, longer each time; what is known of them outlives a restart."""

import asyncio
from collections.abc import Callable
from typing import Final, NamedTuple

from myelin.config.sections.federation import Federation
from myelin.db.connection import Database
from myelin.services.federation.peers.errors import PeerUnreachable
from myelin.store.peer_backoffs import PeerBackoffStore
from myelin.telemetry.ambient import Clock, Randomness

SPREAD: Final = 0.2
"""A back-off is up to this part longer, so that not everything is tried at the same moment."""
REFRESH_S: Final = 60
"""How often to look at what other processes found."""
REFRESH_OVERLAP_MS: Final = 10_000
"""How long another process's clock, or its commit, may lag behind."""
KEEP_SETTLED_MS: Final = 7 * 86_400_000
"""How long a server that came back, or that nobody asks, is remembered."""
MAX_KNOWN: Final = 100_000
"""Servers that are remembered in memory; one more than that is asked as if it had never failed."""


class Backoff(NamedTuple):
    """How a server stands."""

    failures: int
    retry_at_ms: int


Awakened = Callable[[str], None]


class Backoffs:
    """Knows of every server whether to ask it now; the answer takes no waiting."""

    def __init__(self, config: Federation, database: Database, clock: Clock, randomness: Randomness) -> None:
        self._first_ms = config.first_retry_ms
        self._max_ms = max(config.first_retry_ms, config.max_retry_ms)
        self._database = database
        self._clock = clock
        self._randomness = randomness
        self._known: dict[str, Backoff] = {}
        self._read_to_ms = 0
        self.on_return: list[Awakened] = []
        """Called with the name of a server that is back after failures."""

    def check(self, server_name: str) -> None:
        """Raise PeerUnreachable while the server is left alone."""
        if self.retry_at_ms(server_name):
            raise PeerUnreachable(f"{server_name} failed lately and is left alone for a while")

    def retry_at_ms(self, server_name: str) -> int:
        """When the server is asked again; 0 where it may be asked now."""
        known = self._known.get(server_name)
        return known.retry_at_ms if known is not None and known.retry_at_ms > self._clock.now_ms() else 0

    async def failed(self, server_name: str, at_least_ms: int = 0) -> None:
        """A request failed: the next one has to wait. One that was sent before the wait began changes nothing."""
        known = self._known.get(server_name, Backoff(0, 0))
        now = self._clock.now_ms()
        if known.retry_at_ms > now or (not known.failures and len(self._known) >= MAX_KNOWN):
            return
        wait = min(self._first_ms << min(known.failures, 32), self._max_ms)
        wait = max(int(wait * (1 + SPREAD * self._fraction())), min(at_least_ms, self._max_ms))
        await self._note(server_name, Backoff(known.failures + 1, now + wait))

    async def succeeded(self, server_name: str) -> None:
        """The server answered, or asks us something: it is there. Costs nothing where it was never away."""
        if server_name in self._known:
            await self._note(server_name, Backoff(0, 0))
            self._awaken(server_name)

    async def run(self) -> None:
        """Learn what earlier runs and other processes know, for ever."""
        while True:
            await self.refresh()
            await self.forget_settled()
            await asyncio.sleep(REFRESH_S)

    async def refresh(self) -> None:
        """Learn what changed since the last time."""
        since, self._read_to_ms = self._read_to_ms, self._clock.now_ms() - REFRESH_OVERLAP_MS
        for row in await PeerBackoffStore(self._database).changed(since):
            if row.failures:
                self._known[row.server_name] = Backoff(row.failures, row.retry_at_ts)
            elif self._known.pop(row.server_name, None) is not None:
                self._awaken(row.server_name)

    async def forget_settled(self) -> None:
        """Forget servers that came back long ago, or that nobody has asked for long."""
        await PeerBackoffStore(self._database).delete_settled(self._clock.now_ms() - KEEP_SETTLED_MS)

    async def _note(self, server_name: str, backoff: Backoff) -> None:
        if backoff.failures:
            self._known[server_name] = backoff
        else:
            self._known.pop(server_name, None)
        now = self._clock.now_ms()
        await PeerBackoffStore(self._database).put(server_name, backoff.failures, backoff.retry_at_ms, now)

    def _awaken(self, server_name: str) -> None:
        for awakened in self.on_return:
            awakened(server_name)

    def _fraction(self) -> float:
        return int.from_bytes(self._randomness.token_bytes(2), "big") / 65_536
