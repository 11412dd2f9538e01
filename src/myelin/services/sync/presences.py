"""`presence` in a sync answer: of everybody who shares a room with the reader, and of the reader."""

from collections.abc import Set
from typing import Any

import orjson

from myelin.matrix.filters import EventFilter
from myelin.services.presence.presence import Presence
from myelin.services.sync.joined import Reader
from myelin.services.sync.user_rooms import UserRooms, UserView


class Presences:
    """Chooses whose presence a reader is told."""

    def __init__(self, presence: Presence, users: UserRooms) -> None:
        self._presence = presence
        self._users = users

    async def events(
        self, view: UserView, reader: Reader, since: int | None, newcomers: Set[str] = frozenset()
    ) -> list[Any]:
        """What changed after a serial, and of `newcomers` also what did not; with None all who were online lately."""
        return await self.of(view, reader.wanted.presence, since, newcomers)

    async def of(
        self, view: UserView, wanted: EventFilter, since: int | None, newcomers: Set[str] = frozenset()
    ) -> list[Any]:
        """The same for who gives no more than a filter."""
        if wanted.passes_none:
            return []
        found: list[Any] = []
        users = self._presence.changed_users(since or 0)
        if newcomers:
            users = list({*newcomers, *users})
        for user_id in users:
            if not wanted.matches("m.presence", user_id):
                continue
            event = self._presence.event(user_id)
            if event is not None and (user_id == view.user_id or await self._share(view, user_id)):
                found.append(orjson.Fragment(event))
        return found

    async def _share(self, view: UserView, user_id: str) -> bool:
        theirs = self._users.recall(user_id) or await self._users.of(user_id)
        return not view.joined.isdisjoint(theirs.joined)
