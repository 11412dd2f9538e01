"""When a relationship counts: the rules that a child event and its parent must keep."""

from typing import Any, Final

from myelin.matrix.events.pdu import Pdu
from myelin.matrix.relations.relation import relation_of

_NOT_ANNOTATABLE: Final = frozenset({"m.annotation", "m.replace"})


def is_valid_edit(original: Pdu, edit: Pdu) -> bool:
    """Whether `edit` is a valid replacement of `original` (spec: "Validity of replacement events").

    `m.new_content` of an encrypted event is encrypted too, so that nothing can be said of it.
    """
    relation = relation_of(edit.content)
    return (
        relation is not None
        and relation.rel_type == "m.replace"
        and relation.event_id == original.event_id
        and edit.room_id == original.room_id
        and edit.sender == original.sender
        and edit.type == original.type
        and not edit.is_state
        and not original.is_state
        and _rel_type(original) != "m.replace"
        and (edit.type == "m.room.encrypted" or isinstance(edit.content.get("m.new_content"), dict))
    )


def may_be_thread_root(event: Pdu) -> bool:
    """Whether a thread may start from the event: not where it is itself the child of a relationship."""
    return _rel_type(event) is None


def may_be_annotated(event: Pdu) -> bool:
    """Whether an annotation of the event counts: edits and annotations themselves cannot be annotated."""
    return _rel_type(event) not in _NOT_ANNOTATABLE


def annotation_identity(event_type: str, content: dict[str, Any]) -> tuple[str, str, str] | None:
    """What one user may send only once: parent event, event type and key of an annotation; None for other events."""
    relation = relation_of(content)
    if relation is None or relation.rel_type != "m.annotation" or relation.event_id is None or relation.key is None:
        return None
    return relation.event_id, event_type, relation.key


def _rel_type(event: Pdu) -> str | None:
    relation = relation_of(event.content)
    return relation.rel_type if relation is not None else None
