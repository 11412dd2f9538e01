"""A room's summary: how many are in it, and who to name it after (spec: `RoomSummary`)."""

from heapq import nsmallest
from typing import Any

from myelin.services.rooms.room import MEMBER, Room

HEROES = 5


def summary_of(room: Room, reader: str) -> dict[str, Any]:
    """Counts, and for a room without a name its first members but for the reader."""
    summary: dict[str, Any] = {
        "m.joined_member_count": len(room.joined),
        "m.invited_member_count": len(room.invited),
    }
    if not _has_name(room):
        summary["m.heroes"] = [user_id for user_id in _first_members(room) if user_id != reader][:HEROES]
    return summary


def _has_name(room: Room) -> bool:
    name = room.current("m.room.name")
    alias = room.current("m.room.canonical_alias")
    return bool(name and name.content.get("name")) or bool(alias and alias.content.get("alias"))


def _first_members(room: Room) -> list[str]:
    """One more than the heroes, in case the reader is among them; who has left only where nobody else is there."""
    found = room.cached.get("first members")
    if not isinstance(found, list):
        found = nsmallest(HEROES + 1, room.joined | room.invited)
        if len(found) <= 1:
            gone = (key[1] for key in room.state if key[0] == MEMBER and key[1] not in found)
            found += nsmallest(HEROES + 1 - len(found), gone)
        room.cached["first members"] = found
    return found
