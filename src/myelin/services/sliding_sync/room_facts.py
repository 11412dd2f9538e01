"""What filters ask of rooms: their type, whether they are encrypted, their name. Rooms need not be in memory for it."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import orjson

from myelin.bus.feed import Feed
from myelin.bus.news import RoomEvents
from myelin.bus.remembered import Remembered
from myelin.db.connection import Database
from myelin.store.sliding_sync import SlidingSyncStore

CREATE = "m.room.create"
ENCRYPTION = "m.room.encryption"
NAME = "m.room.name"
TYPES = [CREATE, ENCRYPTION, NAME]
MAX_REMEMBERED = 200_000


class Facts(NamedTuple):
    """A room's."""

    room_type: str | None = None
    is_encrypted: bool = False
    name: str = ""


UNKNOWN = Facts()
"""Of a room that this server knows nothing of but an invite."""


class RoomFacts:
    """Facts by room, forgotten when they change."""

    def __init__(self, database: Database, feed: Feed) -> None:
        self._store = SlidingSyncStore(database)
        self._remembered: Remembered[str, Facts] = Remembered(MAX_REMEMBERED)
        feed.subscribe(RoomEvents, self._hear)

    async def of_all(self, room_ids: Iterable[str]) -> dict[str, Facts]:
        """The facts of some rooms, those that are not in memory by one query."""
        found: dict[str, Facts] = {}
        lacking: list[str] = []
        for room_id in room_ids:
            facts = self._remembered.recall(room_id)
            if facts is None:
                lacking.append(room_id)
            else:
                found[room_id] = facts
        if lacking:
            found.update(await self._read(lacking))
        return found

    async def _read(self, room_ids: list[str]) -> dict[str, Facts]:
        read: dict[str, Facts] = {}

        async def load(lacking: list[str]) -> dict[str, Facts]:
            read.update(dict.fromkeys(lacking, UNKNOWN))
            for room_id, kind, data in await self._store.current(lacking, TYPES):
                read[room_id] = _with(read[room_id], kind, orjson.loads(data).get("content"))
            return read

        await self._remembered.get_all(room_ids, load)
        return {room_id: self._remembered.recall(room_id) or read.get(room_id, UNKNOWN) for room_id in room_ids}

    def _hear(self, _position: int, news: RoomEvents) -> None:
        if (
            news.is_gap
            or any(key[0] in TYPES for key, _ in news.state)
            or any(pdu.redacts is not None for pdu in news.pdus)
        ):
            self._remembered.forget(news.room_id)


def _with(facts: Facts, kind: str, content: Any) -> Facts:
    """Facts with what one event says; content of the wrong shape says nothing."""
    if kind == ENCRYPTION:
        return facts._replace(is_encrypted=True)
    if not isinstance(content, dict):
        return facts
    if kind == CREATE:
        room_type = content.get("type")
        return facts._replace(room_type=room_type if isinstance(room_type, str) else None)
    name = content.get("name")
    return facts._replace(name=name if isinstance(name, str) else "")
