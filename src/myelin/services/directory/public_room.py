"""What of a room's state is shown to those who are not in it (spec: client-server API, "Published room directory")."""

from collections.abc import Mapping
from typing import Any

import msgspec

SHOWN_TYPES = frozenset(
    {
        "m.room.avatar",
        "m.room.canonical_alias",
        "m.room.create",
        "m.room.guest_access",
        "m.room.history_visibility",
        "m.room.join_rules",
        "m.room.name",
        "m.room.topic",
    }
)
"""State with an empty key that a listing is made of; besides it only the number of members counts."""

Contents = Mapping[str, Mapping[str, Any]]
"""Contents of state events with an empty key, by type."""


class PublicRoom(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A room in a list (spec: PublishedRoomsChunk)."""

    room_id: str
    num_joined_members: int
    world_readable: bool
    guest_can_join: bool
    name: str | None = None
    topic: str | None = None
    canonical_alias: str | None = None
    avatar_url: str | None = None
    join_rule: str | None = None
    room_type: str | None = None


def shown_fields(room_id: str, contents: Contents, joined: int) -> dict[str, Any]:
    """The fields of a `PublicRoom`; values of the wrong type count as missing."""
    return {
        "room_id": room_id,
        "num_joined_members": joined,
        "world_readable": _value(contents, "m.room.history_visibility", "history_visibility") == "world_readable",
        "guest_can_join": _value(contents, "m.room.guest_access", "guest_access") == "can_join",
        "name": _text(contents, "m.room.name", "name"),
        "topic": _topic(contents.get("m.room.topic", {})),
        "canonical_alias": _text(contents, "m.room.canonical_alias", "alias", prefix="#"),
        "avatar_url": _text(contents, "m.room.avatar", "url", prefix="mxc://"),
        "join_rule": _text(contents, "m.room.join_rules", "join_rule") or "invite",
        "room_type": _text(contents, "m.room.create", "type"),
    }


def _value(contents: Contents, event_type: str, key: str) -> Any:
    return contents.get(event_type, {}).get(key)


def _text(contents: Contents, event_type: str, key: str, *, prefix: str = "") -> str | None:
    value = _value(contents, event_type, key)
    return value if isinstance(value, str) and value and value.startswith(prefix) else None


def _topic(content: Mapping[str, Any]) -> str | None:
    """The plain text of a topic: that of the rich form if it has one, else the old form."""
    rich = content.get("m.topic")
    texts = rich.get("m.text") if isinstance(rich, dict) else None
    for text in texts if isinstance(texts, list) else ():
        if isinstance(text, dict) and text.get("mimetype", "text/plain") == "text/plain":
            body = text.get("body")
            if isinstance(body, str) and body:
                return body
    topic = content.get("topic")
    return topic if isinstance(topic, str) and topic else None
