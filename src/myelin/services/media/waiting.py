"""Downloads that wait for an upload which is announced but not there yet."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from myelin.matrix.errors import MatrixError
from myelin.telemetry.ambient import Clock

T = TypeVar("T")

MAX_WAIT_MS = 60_000
"""The longest that a download waits, however long its client would."""
LOOK_EVERY_S = 1.0
"""How often to look whether the upload went to another process."""


class Arrivals:
    """Wakes those who wait for a media ID's upload."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: dict[tuple[str, str], set[asyncio.Event]] = {}

    def arrived(self, server_name: str, media_id: str) -> None:
        """The upload is there."""
        for event in self._waiting.get((server_name, media_id), ()):
            event.set()

    async def wait(self, key: tuple[str, str], timeout_ms: int, look: Callable[[], Awaitable[T | None]]) -> T:
        """What `look` finds once the upload is there. Raises M_NOT_YET_UPLOADED after `timeout_ms`."""
        deadline = self._clock.monotonic() + min(timeout_ms, MAX_WAIT_MS) / 1000
        event = asyncio.Event()
        self._waiting.setdefault(key, set()).add(event)
        try:
            while True:
                event.clear()
                found = await look()
                if found is not None:
                    return found
                left = deadline - self._clock.monotonic()
                if left <= 0:
                    raise MatrixError("The media has not been uploaded yet", errcode="M_NOT_YET_UPLOADED")
                await _wait(event, min(left, LOOK_EVERY_S))
        finally:
            self._forget(key, event)

    def _forget(self, key: tuple[str, str], event: asyncio.Event) -> None:
        waiting = self._waiting[key]
        waiting.discard(event)
        if not waiting:
            del self._waiting[key]


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
