"""How much may wait for one device that does not come for it, so that nobody fills the disk with it.

What is too much goes from who sent most, their oldest first: somebody who floods a device drops their own messages,
and not the keys that others sent to it.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence

import structlog

from myelin.db.connection import Database
from myelin.services.e2ee.limits import MAX_WAITING_BYTES, MAX_WAITING_MESSAGES, WAITING_CHECKED_EVERY
from myelin.store.to_device import ToDeviceStore, WaitingMessage

_log = structlog.get_logger("myelin.e2ee")

MAX_COUNTED = 100_000
"""Devices of which it is known how many messages they were left since they were looked at."""

Device = tuple[str, str]
"""`(user_id, device_id)`."""


class WaitingMessages:
    """Looks at a device's messages when it was left some, at first and then each hundred."""

    def __init__(self, database: Database) -> None:
        self._store = ToDeviceStore(database)
        self._left: dict[Device, int] = {}
        self._due: asyncio.Queue[Device] = asyncio.Queue()

    def note(self, devices: Iterable[Device]) -> None:
        """Messages were left for devices."""
        if len(self._left) > MAX_COUNTED:
            self._left.clear()
        for device in devices:
            count = self._left.get(device, 0)
            self._left[device] = (count + 1) % WAITING_CHECKED_EVERY
            if count == 0:
                self._due.put_nowait(device)

    async def run(self) -> None:
        """Look at the devices that are due, for ever."""
        while True:
            user_id, device_id = await self._due.get()
            await self.cut(user_id, device_id)

    async def cut(self, user_id: str, device_id: str) -> int:
        """Drop what is too much for a device; how many messages."""
        size = await self._store.size(user_id, device_id)
        if size.messages <= MAX_WAITING_MESSAGES and size.bytes <= MAX_WAITING_BYTES:
            return 0
        positions = too_many(await self._store.waiting(user_id, device_id))
        await self._store.delete_at(user_id, device_id, positions)
        _log.warning("messages that waited for a device are dropped", user_id=user_id, count=len(positions))
        return len(positions)


def too_many(waiting: Sequence[WaitingMessage]) -> list[int]:
    """The positions of those that are to go, of a device's messages with the oldest first."""
    of_sender: dict[str, deque[WaitingMessage]] = {}
    for message in waiting:
        of_sender.setdefault(message.sender, deque()).append(message)
    sizes = {sender: sum(m.size for m in messages) for sender, messages in of_sender.items()}
    left, size = len(waiting), sum(sizes.values())
    dropped: list[int] = []
    while left > MAX_WAITING_MESSAGES or size > MAX_WAITING_BYTES:
        by_size = size > MAX_WAITING_BYTES
        most = max(of_sender, key=lambda sender: sizes[sender] if by_size else len(of_sender[sender]))
        oldest = of_sender[most].popleft()
        dropped.append(oldest.position)
        left, size, sizes[most] = left - 1, size - oldest.size, sizes[most] - oldest.size
    return dropped
