"""Keys of other servers, passed on under this server's name (spec: "Querying Keys Through Another Server")."""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from myelin.matrix.errors import CanonicalJsonError
from myelin.matrix.identifiers import is_server_name
from myelin.services.federation.peers.key_fetching import KeyFetcher
from myelin.services.federation.peers.key_sources import Wants
from myelin.services.federation.peers.known_keys import KnownKeys
from myelin.services.federation.peers.own_keys import OwnKeys
from myelin.store.server_keys import StoredAnswer
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

        `wants` names key IDs and until when they should be valid at least; for a server without any IDs all keys are
        meant, and `valid_until_ms` says until when (None: now).
        """
        until = self.until(valid_until_ms)
        wants = {name: keys for name, keys in list(wants.items())[:MAX_SERVERS] if is_server_name(name)}
        others = {name: keys for name, keys in wants.items() if name != self._own.server_name}
        stored = await self._known.answers(others)
        stale = [name for name, keys in others.items() if self._is_stale(stored.get(name), keys, until)]
        if stale:
            await self._fetcher.fetch_for_others(stale)
            stored.update(await self._known.answers(stale))
        own = [self._own.answer()] if self._own.server_name in wants else []
        return [*own, *self._countersigned(stored)]

    def _is_stale(self, row: StoredAnswer | None, keys: Mapping[str, int], until: int) -> bool:
        """Whether to ask anew: nothing is known, too little, or more than half of its life is over."""
        if row is None or self._clock.now_ms() - row.fetched_ts > (row.valid_until_ts - row.fetched_ts) // 2:
            return True
        answer = orjson.loads(row.answer)
        listed = answer["verify_keys"].keys() | (answer.get("old_verify_keys") or {}).keys()
        return not keys.keys() <= listed or max(keys.values(), default=until) > row.valid_until_ts

    def _countersigned(self, stored: Mapping[str, StoredAnswer]) -> list[Mapping[str, Any]]:
        signed: list[Mapping[str, Any]] = []
        for row in stored.values():
            try:
                signed.append(self._own.countersigned(orjson.loads(row.answer)))
            except CanonicalJsonError:  # its own signature was on it, but there is no telling under which rules
                continue
        return signed
