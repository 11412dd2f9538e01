"""When to ask whom for keys: every server once at a time, seldom again, and strangers never at the cost of friends."""

import asyncio
import contextlib
import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import Enum
from typing import Final, NamedTuple

from myelin.bus.remembered import Remembered
from myelin.matrix.signing import VerifyKey
from myelin.services.federation.peers.allowance import Allowance
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
"""For each purpose."""
STRANGERS_A_SECOND: Final = 10.0
STRANGERS_AT_ONCE: Final = 200
"""Whoever controls a domain can make up names without end, each with keys: so many of them are looked at."""
OTHERS_WAIT_S: Final = 15.0
"""How long somebody who asks for the keys of others waits for them to be fetched."""
AGAIN_AFTER_S: Final = 60
"""A server is asked no more often than this for its keys; after failures less and less often."""
MAX_AGAIN_AFTER_S: Final = 3600
IN_A_ROW: Final = 8
"""So often at once it is asked for others all the same, if they lack something that it has perhaps published now."""
URGENT_AGAIN_AFTER_S: Final = 15
"""A server that just sent us a request is likely to be there."""
MAX_REMEMBERED: Final = 10_000


class Purpose(Enum):
    """What keys are wanted for; one does not wait for another."""

    EVENTS = "events"
    FRIENDS = "friends"
    """Requests of servers that are known."""
    STRANGERS = "strangers"
    """Requests of servers that are not."""
    OTHERS = "others"
    """Somebody asks us as a notary."""


class _Attempt(NamedTuple):
    at: float
    failures: int
    in_a_row: int


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
        self._flights: Flights[tuple[str, Purpose], bool] = Flights()
        self._attempts: Remembered[str, _Attempt] = Remembered(MAX_REMEMBERED)
        self._slots = {purpose: asyncio.Semaphore(FETCHES_AT_ONCE) for purpose in Purpose}
        self._allowance = Allowance(clock, per_second=STRANGERS_A_SECOND, burst=STRANGERS_AT_ONCE)

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
        if not self._is_due(server_name, URGENT_AGAIN_AFTER_S) or not self._is_allowed(server_name):
            return
        if is_known:
            await self._ask_once(server_name, Purpose.FRIENDS)
        elif self._allowance.take():
            await self._ask_once(server_name, Purpose.STRANGERS)

    async def fetch_for_others(self, server_names: Iterable[str], lacking: Collection[str] = ()) -> None:
        """Ask for keys that somebody wants of us as a notary; no other notaries, which might ask us in turn.

        `lacking` are those of the servers of which too little is known.
        """
        asked = [
            name
            for name in server_names
            if (self._may_ask(name) or (name in lacking and self._may_ask_again(name)))
            and not self._backoffs.retry_at_ms(name)
        ]
        allowed = list(itertools.takewhile(lambda _: self._allowance.take(), asked))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(OTHERS_WAIT_S):
                await asyncio.gather(*(self._ask_once(name, Purpose.OTHERS) for name in allowed))

    async def close(self) -> None:
        """End what is under way."""
        await self._flights.close()

    def _may_ask(self, name: str) -> bool:
        attempt = self._attempts.recall(name)
        failures = 0 if attempt is None else attempt.failures
        after_s = min(AGAIN_AFTER_S << min(failures, 16), MAX_AGAIN_AFTER_S)
        return self._is_due(name, after_s) and self._is_allowed(name)

    def _may_ask_again(self, name: str) -> bool:
        attempt = self._attempts.recall(name)
        return (attempt is None or attempt.in_a_row < IN_A_ROW) and self._is_allowed(name)

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
        answers = await asyncio.gather(*(self._ask_once(name, Purpose.EVENTS) for name in asked))
        return {name for name, answered in zip(asked, answers, strict=True) if answered}

    async def _ask_once(self, name: str, purpose: Purpose) -> bool:
        return await self._flights.join((name, purpose), lambda: self._ask(name, purpose))

    async def _ask(self, name: str, purpose: Purpose) -> bool:
        """Ask one server for its own keys; whether it gave any."""
        async with self._slots[purpose]:
            try:
                published = await self._sources.own_word(name)
            except PeerFailed:
                self._note(name, answered=False)
                return False
        await self._known.learn([published], self._clock.now_ms())
        # Only now: until the keys are known, whoever else wants them joins this flight instead of going without.
        self._note(name, answered=True)
        return True

    def _note(self, name: str, *, answered: bool) -> None:
        before, now = self._attempts.recall(name), self._clock.monotonic()
        failures = 0 if answered else 1 if before is None else before.failures + 1
        in_a_row = 1 if before is None or before.at + AGAIN_AFTER_S <= now else before.in_a_row + 1
        self._attempts.put(name, _Attempt(now, failures, in_a_row))

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
            await self._ask_once(name, Purpose.EVENTS)
        return keys


def _batches(names: list[str]) -> list[list[str]]:
    return [names[start : start + SERVERS_A_NOTARY_QUERY] for start in range(0, len(names), SERVERS_A_NOTARY_QUERY)]


def _suffices(published: PublishedKeys, wants: Mapping[str, int]) -> bool:
    """Whether an answer has all that is wanted of its server."""
    keys = published.keys
    return all(key_id in keys and until <= keys[key_id].valid_until_ms for key_id, until in wants.items())
