"""What filters ask of rooms: their type, whether they are encrypted, their name. Rooms need not be in memory for it."""

from collections.abc import Iterable, Set
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
TYPES = (CREATE, ENCRYPTION, NAME)
"""The events that facts are read from: a filter asks for those of some of them only."""
MAX_REMEMBERED = 200_000


class Facts(NamedTuple):
    """A room's, as far as they were asked for."""

    room_type: str | None = None
    is_encrypted: bool = False
    name: str = ""


UNKNOWN = Facts()
"""Of a room that this server knows nothing of but an invite."""


class RoomFacts:
    """Facts by room, forgotten when they change."""

    def __init__(self, database: Database, feed: Feed) -> None:
        self._store = SlidingSyncStore(database)
        self._remembered: dict[str, Remembered[str, str]] = {kind: Remembered(MAX_REMEMBERED) for kind in TYPES}
        feed.subscribe(RoomEvents, self._hear)

    async def of_all(self, room_ids: Iterable[str], kinds: Set[str]) -> dict[str, Facts]:
        """What some kinds of events say of some rooms, those that are not in memory by one query for each kind."""
        room_ids = list(room_ids)
        said = {kind: await self._said(kind, room_ids) for kind in kinds}
        created, encrypted, named = (said.get(kind, {}) for kind in TYPES)
        found = dict.fromkeys(room_ids, UNKNOWN)
        for room_id in created.keys() | encrypted.keys() | named.keys():
            found[room_id] = Facts(created.get(room_id), room_id in encrypted, named.get(room_id, ""))
        return found

    async def _said(self, kind: str, room_ids: list[str]) -> dict[str, str]:
        """What a kind of event says, of those rooms of which it says something."""
        remembered = self._remembered[kind]
        read: dict[str, str] = {}

        async def load(lacking: list[str]) -> dict[str, str]:
            read.update(await self._read(kind, lacking))
            return {room_id: read.get(room_id, "") for room_id in lacking}

        await remembered.get_all(room_ids, load)
        return {r: text for r in room_ids if (text := remembered.recall(r) or read.get(r))}

    async def _read(self, kind: str, room_ids: list[str]) -> Iterable[tuple[str, str]]:
        if kind == ENCRYPTION:
            return [(room_id, kind) for room_id in await self._store.rooms_with(room_ids, kind)]
        member = "type" if kind == CREATE else "name"
        rows = await self._store.current(room_ids, [kind])
        return [(room_id, _text(data, member)) for room_id, data in rows]

    def _hear(self, _position: int, news: RoomEvents) -> None:
        if (
            news.is_gap
            or any(key[0] in TYPES for key, _ in news.state)
            or any(pdu.redacts is not None for pdu in news.pdus)
        ):
            for remembered in self._remembered.values():
                remembered.forget(news.room_id)


def _text(data: bytes, member: str) -> str:
    """A string in an event's content, empty where there is none; content of the wrong shape says nothing."""
    # Hardly any create event names a type: one that holds the word once has it at its top level alone.
    if member == "type" and data.count(b'"type"') == 1:
        return ""
    event: Any = orjson.loads(data)
    content = event.get("content")
    value = content.get(member) if isinstance(content, dict) else None
    return value if isinstance(value, str) else ""
