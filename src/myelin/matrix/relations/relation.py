"""What an event says that it relates to; a relationship that breaks the schema counts as none."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from myelin.matrix.events.pdu import Pdu
from myelin.matrix.identifiers import is_event_id
from myelin.matrix.limits import MAX_IDENTIFIER_BYTES, utf8_length
from myelin.matrix.room_versions import RoomVersion

MAX_THREAD_HOPS: Final = 3
"""Relationships followed in search of a thread root (spec: push, "Marking notifications as read")."""
MAIN_TIMELINE: Final = "main"
"""The `thread_id` of receipts and counts for events outside of all threads."""


class Relation(msgspec.Struct, frozen=True, kw_only=True):
    """`m.relates_to` of an event: a relationship of some `rel_type` to `event_id`, a rich reply, or both.

    `rel_type` and `event_id` are both None where the event is merely a reply.
    """

    rel_type: str | None = None
    event_id: str | None = None
    key: str | None = None
    """What an annotation says, such as an emoji."""
    is_falling_back: bool = False
    """The reply is only there for clients that know no threads."""
    in_reply_to: str | None = None


def relation_of(content: Mapping[str, Any]) -> Relation | None:
    """The relationship that an event's content declares; a redacted event has none left."""
    relates_to = content.get("m.relates_to")
    if not isinstance(relates_to, dict):
        return None
    rel_type, event_id = _rel_type(relates_to.get("rel_type")), _event_id(relates_to.get("event_id"))
    reply = relates_to.get("m.in_reply_to")
    in_reply_to = _event_id(reply.get("event_id")) if isinstance(reply, dict) else None
    if rel_type is None or event_id is None:
        return Relation(in_reply_to=in_reply_to) if in_reply_to is not None else None
    key = relates_to.get("key")
    return Relation(
        rel_type=rel_type,
        event_id=event_id,
        key=key if isinstance(key, str) else None,
        is_falling_back=relates_to.get("is_falling_back") is True,
        in_reply_to=in_reply_to,
    )


def redaction_target(event: Pdu, version: RoomVersion) -> str | None:
    """The event that an `m.room.redaction` redacts, from where its room version says so."""
    if event.type != "m.room.redaction":
        return None
    target = event.content.get("redacts") if version.redacts_in_content else event.redacts
    return _event_id(target)


def thread_root(relation: Relation | None) -> str | None:
    """The root of the thread that an event says it belongs to."""
    return relation.event_id if relation is not None and relation.rel_type == "m.thread" else None


def thread_of(relation: Relation | None, relation_of_event: Callable[[str], Relation | None]) -> str | None:
    """The root of the thread that an event belongs to, itself or through what it relates to, such as by a reaction.

    `relation_of_event` looks up the relationship of another event of the room. None is the main timeline.
    """
    for _ in range(MAX_THREAD_HOPS):
        root = thread_root(relation)
        if root is not None:
            return root
        if relation is None or relation.event_id is None:
            return None
        relation = relation_of_event(relation.event_id)
    return thread_root(relation)


def _rel_type(value: Any) -> str | None:
    usable = isinstance(value, str) and value != "" and utf8_length(value) <= MAX_IDENTIFIER_BYTES
    return value if usable else None


def _event_id(value: Any) -> str | None:
    return value if is_event_id(value) else None
