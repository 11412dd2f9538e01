"""`presence` in a sync answer: of everybody who shares a room with the reader, and of the reader."""

from collections.abc import Set
from typing import Any

import orjson

from myelin.matrix.filters import EventFilter
from myelin.services.presence.presence import Presence
from myelin.services.sync.device_changes import share_room
from myelin.services.sync.user_rooms import UserRooms, UserView


class Presences:
    """Chooses whose presence a reader is told."""

    def __init__(self, presence: Presence, users: UserRooms) -> None:
        self._presence = presence
        self._users = users

    async def of(
        self,
        view: UserView,
        wanted: EventFilter,
        since: int | None,
        *,
        met: Set[str] = frozenset(),
        ignored: Set[str] = frozenset(),
    ) -> list[Any]:
        """What changed after a serial, None being before everything, and how it is with users who were `met` since."""
        if wanted.passes_none or wanted.limit == 0:
            return []
        users: list[str] = self._presence.changed_users(since or 0)
        if met:
            users = [*users, *met - set(users)]
        found: list[Any] = []
        for user_id in users:
            if user_id in ignored or not wanted.matches("m.presence", user_id):
                continue
            event = self._presence.event(user_id)
            if event is not None and (user_id == view.user_id or await share_room(self._users, view, user_id)):
                found.append(orjson.Fragment(event))
        return found
