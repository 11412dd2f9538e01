"""How many one-time keys a device has left, which each `/sync` says."""

from typing import NamedTuple

import orjson

from myelin.bus.feed import Feed
from myelin.bus.news import KeyCountsChanged
from myelin.bus.remembered import Remembered
from myelin.db.connection import Database
from myelin.store.one_time_keys import OneTimeKeyStore

MAX_REMEMBERED = 50_000
ALWAYS_COUNTED = "signed_curve25519"
"""Clients upload no keys of this algorithm unless they are told that there are none."""


class DeviceKeyCounts(NamedTuple):
    """What a device has left, and the same as JSON for `/sync`."""

    one_time_keys: dict[str, int]
    unused_fallback_types: list[str]
    counts_json: bytes
    """`device_one_time_keys_count`."""
    fallback_json: bytes
    """`device_unused_fallback_key_types`."""


class KeyCounts:
    """Counts by device, in memory until they change."""

    def __init__(self, database: Database, feed: Feed) -> None:
        self._store = OneTimeKeyStore(database)
        self._remembered: Remembered[tuple[str, str], DeviceKeyCounts] = Remembered(MAX_REMEMBERED)
        feed.subscribe(KeyCountsChanged, self._forget)

    def recall(self, user_id: str, device_id: str) -> DeviceKeyCounts | None:
        """The counts if they are in memory."""
        return self._remembered.recall((user_id, device_id))

    async def of(self, user_id: str, device_id: str) -> DeviceKeyCounts:
        """The counts."""
        return await self._remembered.get((user_id, device_id), self._load)

    async def _load(self, key: tuple[str, str]) -> DeviceKeyCounts:
        counts = {ALWAYS_COUNTED: 0}
        unused: list[str] = []
        for algorithm, count, is_used in await self._store.counts(*key):
            if count is not None:
                counts[algorithm] = count
            elif not is_used:
                unused.append(algorithm)
        unused.sort()
        return DeviceKeyCounts(counts, unused, orjson.dumps(counts), orjson.dumps(unused))

    def _forget(self, _position: int, news: KeyCountsChanged) -> None:
        self._remembered.forget((news.user_id, news.device_id))
