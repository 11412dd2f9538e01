"""Who is online on other servers (spec: server-server API, "Presence")."""

from typing import Any

from myelin.matrix.limits import utf8_length
from myelin.services.federation.edus.formats import UserPresence, parsed
from myelin.services.federation.edus.sharing import Sharing
from myelin.services.presence.presence import MAX_STATUS_BYTES, Presence

MAX_PRESENCES = 500
"""In one EDU; what is beyond is not looked at."""


class PresenceEdus:
    """Takes in `m.presence`."""

    def __init__(self, sharing: Sharing, presence: Presence) -> None:
        self._sharing = sharing
        self._presence = presence

    async def take(self, origin: str, content: dict[str, Any]) -> None:
        """Users of `origin` came or went; of those who share no room with ours nothing is kept."""
        push = content.get("push")
        if not isinstance(push, list):
            return
        for entry in push[:MAX_PRESENCES]:
            told = parsed(entry, UserPresence)
            if told is None or told.user_id.partition(":")[2] != origin:
                continue
            if self._presence.content(told.user_id) is None and not await self._sharing.is_shared(told.user_id):
                continue
            status = told.status_msg
            self._presence.told(
                told.user_id,
                told.presence,
                active_ago_ms=told.last_active_ago,
                currently_active=told.currently_active,
                status_msg=status if status and utf8_length(status) <= MAX_STATUS_BYTES else None,
            )
