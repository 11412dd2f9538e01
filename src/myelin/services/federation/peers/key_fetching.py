"""When to ask whom for keys: every server once at a time, seldom again, and strangers never at the cost of friends."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from myelin.bus.remembered import Remembered
from myelin.matrix.signing import VerifyKey
from myelin.services.federation.peers.allowed_servers import AllowedServers
from myelin.services.federation.peers.backoff import Backoffs
from myelin.services.federation.peers.errors import PeerFailed
from myelin.services.federation.peers.flights import Flights
from myelin.services.federation.peers.key_sources import KeySources, Wants
from myelin.services.federation.peers.known_keys import KnownKeys
from myelin.services.federation.peers.server_keys import PublishedKeys, counts_at
from myelin.telemetry.ambient import Clock

SERVERS_A_NOTARY_QUERY: Final = 100
NOTARIES_FIRST_FROM: Final = 8
"""From so many servers on notaries are asked first, in one request for all."""
FETCHES_AT_ONCE: Final = 32
"""Of each kind: for requests of servers that are known, for those of strangers, and for events."""
AGAIN_AFTER_S: Final = 60
"""A server is asked no more often than this for its keys; after failures less and less often."""
MAX_AGAIN_AFTER_S: Final = 3600
URGENT_AGAIN_AFTER_S: Final = 15
"""A server that just sent us a request is likely to be there."""
MAX_REMEMBERED: Final = 10_000


class _Attempt(NamedTuple):
    at: float
    failures: int


class KeyFetcher:
    """Learns keys. What it learns goes to KnownKeys; what fails, fails silently."""

    def __init__(
        self,
        sources: KeySources,
        allowed: AllowedServers,
        backoffs: Backoffs,
        known: KnownKeys,
        notaries: Sequence[str],
        clock: Clock,
    ) -> None:
        self._sources = sources
        self._allowed = allowed
        self._backoffs = backoffs
        self._known = known
        self._notaries = notaries
        self._clock = clock
        self._flights: Flights[str, bool] = Flights()
        self._attempts: Remembered[str, _Attempt] = Remembered(MAX_REMEMBERED)
        self._for_events = asyncio.Semaphore(FETCHES_AT_ONCE)
        self._for_friends = asyncio.Semaphore(FETCHES_AT_ONCE)
        self._for_strangers = asyncio.Semaphore(FETCHES_AT_ONCE)

    async def fetch(self, wants: Wants) -> None:
        """Ask for keys of events, the servers themselves and notaries."""
        left = {name: keys for name, keys in wants.items() if self._may_ask(name)}
        if len(left) >= NOTARIES_FIRST_FROM:
            left = await self._ask_notaries(left)
            await self._ask_all(left)
        else:
            answered = await self._ask_all(left)
            await self._ask_notaries({name: keys for name, keys in left.items() if name not in answered})

    async def fetch_urgently(self, server_name: str, *, is_known: bool) -> None:
        """Ask a server that has sent us a request for its keys."""
        if self._is_due(server_name, URGENT_AGAIN_AFTER_S) and self._is_allowed(server_name):
            slots = self._for_friends if is_known else self._for_strangers
            await self._flights.join(server_name, lambda: self._ask(server_name, slots))

    async def close(self) -> None:
        """End what is under way."""
        await self._flights.close()

    def _may_ask(self, name: str) -> bool:
        attempt = self._attempts.recall(name)
        failures = 0 if attempt is None else attempt.failures
        after_s = min(AGAIN_AFTER_S << min(failures, 16), MAX_AGAIN_AFTER_S)
        return self._is_due(name, after_s) and self._is_allowed(name)

    def _is_due(self, name: str, after_s: float) -> bool:
        attempt = self._attempts.recall(name)
        return attempt is None or attempt.at + after_s <= self._clock.monotonic()

    def _is_allowed(self, name: str) -> bool:
        try:
            self._allowed.check(name)
        except PeerFailed:
            return False
        return True

    async def _ask_all(self, names: Iterable[str]) -> set[str]:
        """Ask servers for their own keys; those that answered."""
        asked = [name for name in names if not self._backoffs.retry_at_ms(name)]
        answers = await asyncio.gather(*(self._ask_for_events(name) for name in asked))
        return {name for name, answered in zip(asked, answers, strict=True) if answered}

    async def _ask_for_events(self, name: str) -> bool:
        return await self._flights.join(name, lambda: self._ask(name, self._for_events))

    async def _ask(self, name: str, slots: asyncio.Semaphore) -> bool:
        """Ask one server for its own keys; whether it gave any."""
        async with slots:
            try:
                published = await self._sources.own_word(name)
            except PeerFailed:
                self._note(name, answered=False)
                return False
        self._note(name, answered=True)
        await self._known.learn([published], self._clock.now_ms())
        return True

    def _note(self, name: str, *, answered: bool) -> None:
        before = self._attempts.recall(name)
        failures = 0 if answered else 1 if before is None else before.failures + 1
        self._attempts.put(name, _Attempt(self._clock.monotonic(), failures))

    async def _ask_notaries(self, wants: Wants) -> dict[str, Mapping[str, int]]:
        """Ask the notaries in turn; what none of them could tell."""
        left = dict(wants)
        for notary in self._notaries:
            for batch in _batches([name for name in left if name != notary]):
                for published in await self._ask_notary(notary, {name: left[name] for name in batch if name in left}):
                    if _suffices(published, wants[published.server_name]):
                        left.pop(published.server_name, None)
                        self._note(published.server_name, answered=True)
        return left

    async def _ask_notary(self, notary: str, wants: Wants) -> list[PublishedKeys]:
        if self._backoffs.retry_at_ms(notary) or not self._is_allowed(notary):
            return []
        keys = await self._current_keys(notary)
        try:
            published = await self._sources.word_of(notary, keys, wants) if keys else []
        except PeerFailed:
            return []
        await self._known.learn(published, self._clock.now_ms())
        return published

    async def _current_keys(self, name: str) -> list[VerifyKey]:
        """The keys that a notary may sign with now, its own word being fetched where it is not known."""
        for may_ask in (True, False):
            known = (await self._known.of([name]))[name].values()
            keys = [k.key for k in known if not k.is_old and counts_at(k, self._clock.now_ms())]
            if keys or not may_ask or not self._may_ask(name):
                break
            await self._ask_for_events(name)
        return keys


def _batches(names: list[str]) -> list[list[str]]:
    return [names[start : start + SERVERS_A_NOTARY_QUERY] for start in range(0, len(names), SERVERS_A_NOTARY_QUERY)]


def _suffices(published: PublishedKeys, wants: Mapping[str, int]) -> bool:
    """Whether an answer has all that is wanted of its server."""
    keys = published.keys
    return all(key_id in keys and until <= keys[key_id].valid_until_ms for key_id, until in wants.items())
