"""What a process remembers of the database where some values are far larger than others."""

from collections.abc import Callable
from typing import TypeVar

from myelin.bus.remembered import Remembered

K = TypeVar("K")
V = TypeVar("V")


class Weighed(Remembered[K, V]):
    """Values by key, the least recently used forgotten first where all together weigh too much.

    A value counts for what it weighed when it was put here. The one that was used last stays, whatever it weighs.
    """

    __slots__ = ("_bound", "_total", "_weigh", "_weights")

    def __init__(self, bound: int, weigh: Callable[[V], int]) -> None:
        super().__init__(bound + 1)  # which is never reached: every value weighs something
        self._bound = bound
        self._weigh = weigh
        self._weights: dict[K, int] = {}
        self._total = 0

    def put(self, key: K, value: V) -> None:
        """Remember a value that is known to be current."""
        weight = max(1, self._weigh(value))
        self._total += weight - self._weights.get(key, 0)
        self._weights[key] = weight
        super().put(key, value)
        while self._total > self._bound and len(self._values) > 1:
            self.forget(next(iter(self._values)))

    def forget(self, key: K) -> None:
        """The key changed, or is no longer needed."""
        self._total -= self._weights.pop(key, 0)
        super().forget(key)
