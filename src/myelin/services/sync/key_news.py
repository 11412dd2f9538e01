"""How many one-time keys a device has left, and whether that is news to it."""

from collections import OrderedDict
from typing import Any

import orjson

from myelin.bus.feed import Feed
from myelin.bus.news import KeyCountsChanged
from myelin.services.e2ee.key_counts import KeyCounts

MAX_REMEMBERED = 20_000
"""Devices whose last change is remembered; others are told with whatever they are told next."""


class KeyNews:
    """Counts of keys for answers: each has them, and what changes them is worth an answer of its own."""

    def __init__(self, key_counts: KeyCounts, feed: Feed) -> None:
        self._key_counts = key_counts
        self._changed: OrderedDict[tuple[str, str], int] = OrderedDict()
        self.latest = feed.position
        """No device's keys changed after this position."""
        feed.subscribe(KeyCountsChanged, self._hear)

    def changed(self, user_id: str, device_id: str, since: int) -> bool:
        """Whether a device's keys changed after a position."""
        return self._changed.get((user_id, device_id), since) > since

    async def counts(self, user_id: str, device_id: str) -> dict[str, Any]:
        """The members that every answer has."""
        counts = self._key_counts.recall(user_id, device_id) or await self._key_counts.of(user_id, device_id)
        return {
            "device_one_time_keys_count": orjson.Fragment(counts.counts_json),
            "device_unused_fallback_key_types": orjson.Fragment(counts.fallback_json),
        }

    def _hear(self, position: int, news: KeyCountsChanged) -> None:
        self.latest = position
        device = news.user_id, news.device_id
        self._changed.pop(device, None)
        self._changed[device] = position
        if len(self._changed) > MAX_REMEMBERED:
            self._changed.popitem(last=False)
