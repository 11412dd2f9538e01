"""The fully read marker: room account data that only moves forward (spec: "Read and unread markers")."""

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson

from myelin.matrix.errors import BadJson, MatrixError
from myelin.services.receipts.ports import ReadableRooms
from myelin.services.receipts.receipts import Receipts
from myelin.services.receipts.room_receipts import READ, READ_PRIVATE
from myelin.services.userdata.account_data import CHANGE_ATTEMPTS, FULLY_READ, AccountData

MARKERS = (FULLY_READ, READ, READ_PRIVATE)


class _MovedMeanwhile(Exception):
    """Another device moved the marker."""


class ReadMarkers:
    """Moves markers and receipts together."""

    def __init__(self, account_data: AccountData, receipts: Receipts, rooms: ReadableRooms) -> None:
        self._account_data = account_data
        self._receipts = receipts
        self._rooms = rooms

    async def move_all(self, user_id: str, room_id: str, markers: Mapping[str, Any]) -> None:
        """Move what `/read_markers` names. Raises BadJson, InvalidParam, Forbidden or NotFound."""
        given = {name: markers[name] for name in MARKERS if markers.get(name) is not None}
        if not all(isinstance(event_id, str) for event_id in given.values()):
            raise BadJson("A read marker must be an event ID")
        for event_id in given.values():
            await self._receipts.readable(user_id, room_id, event_id)
        await asyncio.gather(
            *(
                self.move(user_id, room_id, event_id)
                if name == FULLY_READ
                else self._receipts.move(user_id, room_id, name, event_id)
                for name, event_id in given.items()
            )
        )

    async def move(self, user_id: str, room_id: str, event_id: str) -> None:
        """The user has read everything up to an event. Raises InvalidParam, Forbidden or NotFound."""
        place = await self._receipts.readable(user_id, room_id, event_id)
        for _ in range(CHANGE_ATTEMPTS):
            entry = (await self._account_data.of(user_id)).get(room_id, FULLY_READ)
            before = entry.content if entry is not None else None
            if before is not None and not await self._is_before(room_id, before, place.position):
                return
            try:
                await self._put(user_id, room_id, before, orjson.dumps({"event_id": event_id}))
            except _MovedMeanwhile:
                continue
            return
        raise MatrixError("Too many changes at the same time; try again")

    async def _is_before(self, room_id: str, marker: bytes, position: int) -> bool:
        known = await self._rooms.event_place(room_id, orjson.loads(marker)["event_id"])
        return known is None or known.position < position

    async def _put(self, user_id: str, room_id: str, before: bytes | None, after: bytes) -> None:
        def replace(stored: bytes | None) -> bytes:
            if stored != before:
                raise _MovedMeanwhile
            return after

        await self._account_data.change(user_id, room_id, FULLY_READ, replace)
