"""Who types on other servers (spec: server-server API, "Typing Notifications")."""

from typing import Any

from myelin.services.federation.edus.formats import Typing, parsed
from myelin.services.federation.edus.sharing import Sharing
from myelin.services.typing.typing_users import TypingUsers

TIMEOUT_MS = 60_000
"""Who is not said to type again for so long does not any more."""


class TypingEdus:
    """Takes in `m.typing`."""

    def __init__(self, sharing: Sharing, typing: TypingUsers) -> None:
        self._sharing = sharing
        self._typing = typing

    async def take(self, origin: str, content: dict[str, Any]) -> None:
        """A user of `origin` types, or does not any more. Raises Forbidden for who is not in the room."""
        told = parsed(content, Typing)
        if told is None or told.user_id.partition(":")[2] != origin:
            return
        if await self._sharing.room_for(origin, told.room_id) is None:
            return
        if told.typing:
            await self._typing.start(told.user_id, told.room_id, TIMEOUT_MS)
        else:
            await self._typing.stop(told.user_id, told.room_id)
