"""A long computation rests after a while, and for as long as others are busy or its patience lasts."""

import asyncio

from held_clock import HeldClock
from myelin.bus.pace import SLICE_S, Pace

SLICE_MS = int(SLICE_S * 1000)


class Busy:
    """Something else that takes ten milliseconds in each of some turns of the loop."""

    def __init__(self, clock: HeldClock, turns: int) -> None:
        self.turns = 0
        self._clock = clock
        self._left = turns
        self._next()

    def _next(self) -> None:
        if self._left:
            self._left -= 1
            asyncio.get_running_loop().call_soon(self._act)

    def _act(self) -> None:
        self.turns += 1
        self._clock.pass_ms(10)
        self._next()


async def test_it_is_due_after_a_slice() -> None:
    clock = HeldClock()
    pace = Pace(clock)
    clock.pass_ms(SLICE_MS - 1)
    assert not pace.is_due
    clock.pass_ms(1)
    assert pace.is_due
    await pace.rest()
    assert not pace.is_due


async def test_others_have_one_turn() -> None:
    clock = HeldClock()
    pace, busy = Pace(clock), Busy(clock, 5)
    await pace.rest()
    assert busy.turns == 1


async def test_who_is_patient_waits_until_nobody_is_busy() -> None:
    clock = HeldClock()
    pace, busy = Pace(clock, patience=20), Busy(clock, 5)
    await pace.rest()
    assert busy.turns == 5


async def test_patience_ends() -> None:
    clock = HeldClock()
    pace, busy = Pace(clock, patience=3), Busy(clock, 50)
    await pace.rest()
    assert busy.turns == 3
    assert not pace.is_due
