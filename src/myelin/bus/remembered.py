"""What a process remembers of the database: a bounded cache that never keeps what was read before a change."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Remembered(Generic[K, V]):
    """Values by key, the least recently used forgotten first.

    Whoever hears that a key changed calls `forget`, or changes the value that `recall` gives. A value that was being
    read from the database at that moment is handed to who asked for it, but not kept.
    """

    __slots__ = ("_limit", "_loading", "_values")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._values: OrderedDict[K, V] = OrderedDict()
        self._loading: dict[K, object] = {}

    def recall(self, key: K) -> V | None:
        """The value, if it is in memory."""
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def put(self, key: K, value: V) -> None:
        """Remember a value that is known to be current."""
        self._loading.pop(key, None)
        self._values[key] = value
        self._values.move_to_end(key)
        if len(self._values) > self._limit:
            self._values.popitem(last=False)

    def forget(self, key: K) -> None:
        """The key changed, or is no longer needed."""
        self._values.pop(key, None)
        self._loading.pop(key, None)

    async def get(self, key: K, load: Callable[[K], Awaitable[V]]) -> V:
        """The value, from memory or else loaded."""
        value = self.recall(key)
        if value is not None:
            return value
        mark = self._loading[key] = object()
        try:
            value = await load(key)
            if self._loading.get(key) is mark:
                self.put(key, value)
        finally:
            if self._loading.get(key) is mark:
                del self._loading[key]
        return value

    async def get_all(self, keys: Iterable[K], load: Callable[[list[K]], Awaitable[Mapping[K, V]]]) -> None:
        """Have the values of many keys in memory, as far as they are there, those that lack loaded together."""
        marks = {key: object() for key in keys if self.recall(key) is None}
        if not marks:
            return
        self._loading.update(marks)
        try:
            for key, value in (await load(list(marks))).items():
                if self._loading.get(key) is marks[key]:
                    self.put(key, value)
        finally:
            for key, mark in marks.items():
                if self._loading.get(key) is mark:
                    del self._loading[key]
