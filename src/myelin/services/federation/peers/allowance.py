"""So many a second, and no more at once than have been saved up."""

from myelin.telemetry.ambient import Clock


class Allowance:
    """What everybody together may cause."""

    __slots__ = ("_burst", "_clock", "_filled_at", "_left", "_per_second")

    def __init__(self, clock: Clock, *, per_second: float, burst: int) -> None:
        self._clock = clock
        self._per_second = per_second
        self._burst = burst
        self._left = float(burst)
        self._filled_at = clock.monotonic()

    def take(self) -> bool:
        """Take one; False where none is left for now."""
        now = self._clock.monotonic()
        self._left = min(self._burst, self._left + (now - self._filled_at) * self._per_second)
        self._filled_at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
