"""Keys of other servers, passed on under this server's name (spec: "Querying Keys Through Another Server")."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson

from myelin.matrix.errors import CanonicalJsonError
from myelin.matrix.identifiers import is_server_name
from myelin.services.federation.peers.key_fetching import KeyFetcher
from myelin.services.federation.peers.key_sources import Wants
from myelin.services.federation.peers.known_keys import KnownKeys, named_in
from myelin.services.federation.peers.own_keys import OwnKeys
from myelin.store.server_keys import OldAnswer, StoredAnswer
from myelin.telemetry.ambient import Clock

MAX_SERVERS: Final = 256
"""Servers that one query may name; of further ones nothing is said."""


class Notary:
    """Vouches for the keys of other servers: their own answers, with our signature beside theirs."""

    def __init__(self, own: OwnKeys, known: KnownKeys, fetcher: KeyFetcher, clock: Clock) -> None:
        self._own = own
        self._known = known
        self._fetcher = fetcher
        self._clock = clock

    def until(self, valid_until_ms: int | None) -> int:
        """Until when keys should be valid if nothing is said: now."""
        return self._clock.now_ms() if valid_until_ms is None else valid_until_ms

    async def query(self, wants: Wants, valid_until_ms: int | None = None) -> list[Mapping[str, Any]]:
        """The newest answers of some servers; without those of whom nothing is known, nor can be learned now.

        Before them come older ones that name keys which are asked for and the newest do not name any more.

        `wants` names key IDs and until when they should be valid at least; for a server without any IDs all keys are
        meant, and `valid_until_ms` says until when (None: now).
        """
        until = self.until(valid_until_ms)
        wants = {name: keys for name, keys in list(wants.items())[:MAX_SERVERS] if is_server_name(name)}
        others = {name: keys for name, keys in wants.items() if name != self._own.server_name}
        stored = await self._known.answers(others)
        old = await self._known.old_answers(others)
        lacking = {name for name, keys in others.items() if self._lacks(stored.get(name), keys, until, old)}
        stale = [name for name in others if name in lacking or self._is_old(stored.get(name), others[name])]
        if stale:
            await self._fetcher.fetch_for_others(stale, lacking)
            stored.update(await self._known.answers(stale))
            old = await self._known.old_answers(others)
        own = [self._own.answer()] if self._own.server_name in wants else []
        texts = dict.fromkeys([*(row.answer for row in old), *(row.answer for row in stored.values())])
        return [*own, *self._countersigned(texts)]

    def _lacks(self, row: StoredAnswer | None, keys: Mapping[str, int], until: int, old: Iterable[OldAnswer]) -> bool:
        """Whether not all that is asked for is known, or not for long enough."""
        if row is None:
            return False
        known = {one.key_id: one.valid_until_ts for one in old if one.server_name == row.server_name}
        known.update(dict.fromkeys(named_in(orjson.loads(row.answer)), row.valid_until_ts))
        if not keys:
            return until > row.valid_until_ts
        return any(known.get(key_id, -1) < wanted for key_id, wanted in keys.items())

    def _is_old(self, row: StoredAnswer | None, keys: Mapping[str, int]) -> bool:
        """Whether nothing is known or, where all keys are asked for, more than half of the answer's life is over."""
        if row is None:
            return True
        return not keys and self._clock.now_ms() - row.fetched_ts > (row.valid_until_ts - row.fetched_ts) // 2

    def _countersigned(self, answers: Iterable[str]) -> list[Mapping[str, Any]]:
        signed: list[Mapping[str, Any]] = []
        for answer in answers:
            try:
                signed.append(self._own.countersigned(orjson.loads(answer)))
            except CanonicalJsonError:  # its own signature was on it, but there is no telling under which rules
                continue
        return signed
