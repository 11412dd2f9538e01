"""Waiting for what should become true; nobody is told how long that takes."""

import asyncio
from collections.abc import Callable
from inspect import isawaitable
from typing import Any

DEADLINE_S = 60.0
"""Nothing that works takes so long, whatever else the machine does."""
POLL_S = 0.005


async def until(holds: Callable[[], Any], deadline_s: float = DEADLINE_S) -> Any:
    """What `holds` returns, or what that awaits, as soon as it is true. Raises TimeoutError after the deadline."""
    async with asyncio.timeout(deadline_s):
        while True:
            found = holds()
            if isawaitable(found):
                found = await found
            if found:
                return found
            await asyncio.sleep(POLL_S)
