"""All of one room at once, for members, former members and peekers (spec: `GET /rooms/{roomId}/initialSync`)."""

from collections.abc import Iterator
from typing import Any

import orjson

from myelin.matrix.filters import EVERYTHING
from myelin.services.presence.presence import Presence
from myelin.services.receipts.receipts import Receipts
from myelin.services.rooms.pagination import Pagination, Span
from myelin.services.rooms.presentation import Presentation, spliced
from myelin.services.rooms.state_reading import StateReading
from myelin.services.rooms.tokens import SyncToken, page_token
from myelin.services.rooms.viewpoint import Viewpoint
from myelin.services.userdata.account_data import AccountData
from myelin.store.directory import DirectoryStore
from myelin.store.state import OPEN


class RoomInitialSync:
    """Puts together what the parts know of a room."""

    def __init__(
        self,
        pagination: Pagination,
        presentation: Presentation,
        state: StateReading,
        account_data: AccountData,
        presence: Presence,
        receipts: Receipts,
        directory: DirectoryStore,
    ) -> None:
        self._pagination = pagination
        self._presentation = presentation
        self._state = state
        self._account_data = account_data
        self._presence = presence
        self._receipts = receipts
        self._directory = directory

    async def of(self, view: Viewpoint, limit: int) -> dict[str, Any]:
        """The answer; presence and receipts only for who is in the room."""
        room = view.room
        answer: dict[str, Any] = {
            "room_id": room.room_id,
            "messages": await self._messages(view, limit),
            "state": spliced(await self._state.whole(view)),
            "visibility": "public" if await self._directory.is_published(room.room_id) else "private",
            "account_data": await self._private(view),
            "presence": spliced(self._present(view)),
            "receipts": spliced(await self._read(view)),
        }
        membership = view.sight.membership_now
        if membership is not None:
            answer["membership"] = membership
        return answer

    async def _messages(self, view: Viewpoint, limit: int) -> dict[str, Any]:
        page = await self._pagination.page(view, Span.back(view.position), limit, EVERYTHING)
        events = page.events[::-1]
        start = page.end
        if start is None:
            start = events[0].position - 1 if events else view.position
        return {
            "chunk": spliced(await self._presentation.of(view, events)),
            "start": page_token(start),
            "end": str(SyncToken(view.position)),
        }

    async def _private(self, view: Viewpoint) -> list[Any]:
        data = await self._account_data.of(view.user_id)
        return [orjson.Fragment(entry.event) for entry in data.in_room(view.room.room_id)]

    def _present(self, view: Viewpoint) -> Iterator[bytes]:
        if view.user_id in view.room.joined:
            for user_id in view.room.joined:
                event = self._presence.event(user_id)
                if event is not None:
                    yield event

    async def _read(self, view: Viewpoint) -> list[bytes]:
        if view.user_id not in view.room.joined:
            return []
        receipts = await self._receipts.of_room(view.room.room_id)
        return list(receipts.events(view.user_id, 0, OPEN))
