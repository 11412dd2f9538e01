"""A room's summary: how many are in it, and who to name it after (spec: `RoomSummary`)."""

from collections.abc import Iterable, Mapping
from typing import Any

from myelin.bus.feed import Feed
from myelin.bus.news import RoomEvents
from myelin.bus.remembered import Remembered
from myelin.services.rooms.room import MEMBER, Room
from myelin.store.members import MemberStore

HEROES = 5
MAX_REMEMBERED = 20_000
MAX_MEMBERS_AT_ONCE = 50
"""Rooms with more members are asked for their heroes one by one."""

SUMMARISED = frozenset({MEMBER, "m.room.name", "m.room.canonical_alias"})
"""Types of state that a summary depends on."""


class Summaries:
    """Makes summaries; remembers who came first into rooms without a name."""

    def __init__(self, members: MemberStore, feed: Feed) -> None:
        self._members = members
        self._first: Remembered[str, list[str]] = Remembered(MAX_REMEMBERED)
        feed.subscribe(RoomEvents, self._hear)

    async def prepare(self, rooms: Iterable[Room]) -> None:
        """Have the heroes of many rooms in memory, with one query for those that are small."""
        small = [r.room_id for r in rooms if not has_name(r) and len(r.joined) + len(r.invited) <= MAX_MEMBERS_AT_ONCE]
        await self._first.get_all(small, self._read)

    async def heroes(self, room: Room, reader: str) -> list[str] | None:
        """The users to name the room after, for who is not to be among them; None for a room that has a name."""
        if has_name(room):
            return None
        first = self._first.recall(room.room_id) or await self._first.get(room.room_id, self._read_one)
        return [user_id for user_id in first if user_id != reader][:HEROES]

    async def _read_one(self, room_id: str) -> list[str]:
        """One more than the heroes, in case the reader is among them; who has left only where nobody else is there."""
        first = await self._members.first_present(room_id, HEROES + 1)
        return first if len(first) > 1 else first + await self._members.first_absent(room_id, HEROES + 1)

    async def _read(self, room_ids: list[str]) -> Mapping[str, list[str]]:
        present: dict[str, list[str]] = {room_id: [] for room_id in room_ids}
        for row in await self._members.present(room_ids):
            present[row.room_id].append(row.user_id)
        return {
            room_id: users[: HEROES + 1] if len(users) > 1 else await self._read_one(room_id)
            for room_id, users in present.items()
        }

    def _hear(self, _position: int, news: RoomEvents) -> None:
        if news.state and any(key[0] == MEMBER for key, _ in news.state):
            self._first.forget(news.room_id)


def summary(room: Room, heroes: list[str] | None) -> dict[str, Any]:
    """The `summary` of a section."""
    counts = {"m.joined_member_count": len(room.joined), "m.invited_member_count": len(room.invited)}
    return counts if heroes is None else {**counts, "m.heroes": heroes}


def has_name(room: Room) -> bool:
    """Whether clients show the room by a name or alias, not by its members."""
    name, alias = room.current("m.room.name"), room.current("m.room.canonical_alias")
    return (name is not None and _is_text(name.content.get("name"))) or (
        alias is not None and _is_text(alias.content.get("alias"))
    )


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""
