"""Long computations in the loop's thread, in slices: whoever waits for something short has their turn in between."""

import asyncio
from typing import Final

from myelin.telemetry.ambient import Clock

SLICE_S: Final = 0.004
"""How long a computation goes on without a rest."""
QUIET_S: Final = 0.001
"""A turn of the loop that takes less time than this had nothing to do."""


class Pace:
    """One computation's: `if pace.is_due: await pace.rest()` between its steps, none of which takes long.

    `patience` is for how many turns of a busy loop each rest lasts at most: 1 for what somebody waits for, more for
    what may take its time.
    """

    __slots__ = ("_clock", "_patience", "_until")

    def __init__(self, clock: Clock, *, patience: int = 1) -> None:
        self._clock = clock
        self._patience = patience
        self._until = clock.monotonic() + SLICE_S

    @property
    def is_due(self) -> bool:
        """Whether others have waited for long enough."""
        return self._clock.monotonic() >= self._until

    async def rest(self) -> None:
        """Let others have their turn, until the loop has nothing to do or patience ends."""
        before = self._clock.monotonic()
        for _ in range(self._patience):
            await asyncio.sleep(0)
            now = self._clock.monotonic()
            if now - before < QUIET_S:
                break
            before = now
        self._until = self._clock.monotonic() + SLICE_S
