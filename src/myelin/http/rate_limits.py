"""Token buckets: how often each thing may be done."""

from collections import OrderedDict

from myelin.config.sections.rate_limits import Bucket, RateLimits
from myelin.matrix.errors import LimitExceeded
from myelin.telemetry.ambient import Clock

MAX_BUCKETS = 100_000
"""Buckets kept in memory; the least recently used is forgotten first, which only ever forgives."""


class RateLimiter:
    """Counts what each key has done, by bucket name."""

    def __init__(self, config: RateLimits, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._levels: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()

    def take(self, bucket: str, key: str, cost: float = 1.0) -> None:
        """Count one more. Raises LimitExceeded, with the time to wait in milliseconds, when the bucket is empty."""
        wait_ms = self.wait(bucket, key, cost)
        if wait_ms:
            raise LimitExceeded("Too many requests; wait before you try again", retry_after_ms=wait_ms)

    def wait(self, bucket: str, key: str, cost: float = 1.0) -> int:
        """Count one more if there is room; else the milliseconds until there is."""
        if not self._config.enabled:
            return 0
        limit: Bucket = getattr(self._config, bucket)
        now = self._clock.monotonic()
        place = (bucket, key)
        level, since = self._levels.get(place, (float(limit.burst), now))
        level = min(float(limit.burst), level + (now - since) * limit.per_second)
        if level < cost:
            return max(1, int((cost - level) / limit.per_second * 1000))
        self._levels[place] = (level - cost, now)
        self._levels.move_to_end(place)
        if len(self._levels) > MAX_BUCKETS:
            self._levels.popitem(last=False)
        return 0
