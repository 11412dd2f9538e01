"""The newest changes of one kind, in memory: what most readers ask for, since they come back often."""

from bisect import bisect_right
from typing import Generic, TypeVar

T = TypeVar("T")


class Recent(Generic[T]):
    """Changes by position, all of them from a certain position on."""

    __slots__ = ("_changes", "_limit", "_positions", "complete_after")

    def __init__(self, complete_after: int, limit: int) -> None:
        self.complete_after = complete_after
        """Changes after this position are all here."""
        self._limit = limit
        self._positions: list[int] = []
        self._changes: list[T] = []

    @property
    def latest(self) -> int:
        """The position of the newest change, or of where the memory begins."""
        return self._positions[-1] if self._positions else self.complete_after

    def add(self, position: int, change: T) -> None:
        """Note a change; positions never go down."""
        self._positions.append(position)
        self._changes.append(change)
        if len(self._positions) > self._limit:
            half = self._limit // 2
            self.complete_after = self._positions[half - 1]
            del self._positions[:half]
            del self._changes[:half]

    def between(self, since: int, to: int) -> list[T] | None:
        """The changes after `since`, up to and including `to`; None where they are not all in memory."""
        if since < self.complete_after:
            return None
        positions = self._positions
        if not positions or positions[-1] <= since:
            return []
        return self._changes[bisect_right(positions, since) : bisect_right(positions, to)]
