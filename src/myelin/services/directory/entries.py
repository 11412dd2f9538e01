"""What the directory shows of users, from profiles and membership events; and which rooms show their members."""

from collections.abc import Iterable
from typing import Any

import orjson

from myelin.store.profiles import UserField
from myelin.store.user_directory import DirectoryEntry, Latest

OPEN_RULES = ("m.room.join_rules", "m.room.history_visibility")
"""State that decides whether everybody may find a room's members."""


def entries_of_ours(user_ids: Iterable[str], fields: Iterable[UserField]) -> list[DirectoryEntry]:
    """This server's users, with what their profiles say."""
    profiles: dict[str, dict[str, Any]] = {user_id: {} for user_id in user_ids}
    for field in fields:
        if field.user_id in profiles:
            profiles[field.user_id][field.field] = orjson.loads(field.value)
    return [_entry(user_id, profile) for user_id, profile in profiles.items()]


def entries_of_others(memberships: Iterable[Latest]) -> list[DirectoryEntry]:
    """Other servers' users, with what their newest membership says."""
    contents = {membership.key: orjson.loads(membership.json).get("content") for membership in memberships}
    return [_entry(user_id, content if isinstance(content, dict) else {}) for user_id, content in contents.items()]


def shows_members(json: bytes) -> bool:
    """Whether the state event lets everybody find the room's members."""
    event = orjson.loads(json)
    content = event.get("content")
    if not isinstance(content, dict):
        return False
    if event.get("type") == "m.room.join_rules":
        return content.get("join_rule") == "public"
    return content.get("history_visibility") == "world_readable"


def _entry(user_id: str, profile: dict[str, Any]) -> DirectoryEntry:
    return DirectoryEntry(user_id, _text(profile.get("displayname")), _text(profile.get("avatar_url")))


def _text(value: Any) -> str | None:
    """A string that the database can hold, or nothing."""
    return value.replace("\x00", "") or None if isinstance(value, str) else None
