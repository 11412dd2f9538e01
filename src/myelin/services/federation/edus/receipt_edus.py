"""How far users of other servers have read (spec: server-server API, "Receipts")."""

import asyncio
from typing import Any

from myelin.matrix.errors import MatrixError
from myelin.services.federation.edus.formats import UserReceipt, parsed
from myelin.services.federation.edus.sharing import Sharing
from myelin.services.receipts.receipts import Receipts
from myelin.services.receipts.room_receipts import READ

MAX_RECEIPTS = 1_000
"""In one EDU; what is beyond is not looked at."""


class ReceiptEdus:
    """Takes in `m.receipt`."""

    def __init__(self, sharing: Sharing, receipts: Receipts) -> None:
        self._sharing = sharing
        self._receipts = receipts

    async def take(self, origin: str, content: dict[str, Any]) -> None:
        """Users of `origin` have read something; receipts for others, or in rooms closed to it, are left out."""
        left = MAX_RECEIPTS
        for room_id, kinds in content.items():
            users = kinds.get(READ) if isinstance(kinds, dict) else None
            if not isinstance(users, dict) or left <= 0:
                continue
            if await self._sharing.room_for(origin, room_id) is None:
                continue
            mine = [(user_id, value) for user_id, value in users.items() if user_id.partition(":")[2] == origin][:left]
            left -= len(mine)
            await asyncio.gather(*(self._move(user_id, room_id, value) for user_id, value in mine))

    async def _move(self, user_id: str, room_id: str, value: Any) -> None:
        receipt = parsed(value, UserReceipt)
        if receipt is None:
            return
        data = receipt.data
        try:
            await self._receipts.move(user_id, room_id, READ, receipt.event_ids[0], data.thread_id, ts=data.ts)
        except MatrixError:
            # Most likely the event has not come yet; the next receipt will tell.
            return
