"""What is bundled with an event about its children, as `m.relations` in `unsigned`.

The functions take the children that the user may see; those of ignored users are left out here. `m.annotation` is not
aggregated by servers (spec: event annotations).
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

import msgspec

from myelin.matrix.events.pdu import Pdu
from myelin.matrix.relations.relation import relation_of
from myelin.matrix.relations.validity import is_valid_edit

Serialize = Callable[[Pdu], Any]
"""Makes the client's JSON of an event, with what is bundled with that event in turn."""


class ThreadSummary(msgspec.Struct, frozen=True):
    """The aggregation of `m.thread`."""

    latest_event: Pdu
    count: int
    current_user_participated: bool


class Bundle(msgspec.Struct, frozen=True):
    """All aggregations of one event."""

    edit: Pdu | None = None
    thread: ThreadSummary | None = None
    references: tuple[str, ...] = ()

    def render(self, serialize: Serialize) -> dict[str, Any]:
        """The value of `m.relations`; empty where there is nothing to bundle and the key is to be left out."""
        relations: dict[str, Any] = {}
        if self.edit is not None:
            relations["m.replace"] = serialize(self.edit)
        if self.thread is not None:
            relations["m.thread"] = {
                "latest_event": serialize(self.thread.latest_event),
                "count": self.thread.count,
                "current_user_participated": self.thread.current_user_participated,
            }
        if self.references:
            relations["m.reference"] = {"chunk": [{"event_id": event_id} for event_id in self.references]}
        return relations


def latest_edit(original: Pdu, candidates: Iterable[Pdu]) -> Pdu | None:
    """The most recent valid edit, by `origin_server_ts` and then by event ID."""
    return max(
        (edit for edit in candidates if is_valid_edit(original, edit)),
        key=lambda edit: (edit.origin_server_ts, edit.event_id),
        default=None,
    )


def summarize_thread(
    root: Pdu, replies: Sequence[Pdu], user_id: str, ignored: Collection[str] = ()
) -> ThreadSummary | None:
    """The summary of a thread for a user; `replies` are in topological order, oldest first."""
    seen = [reply for reply in replies if reply.sender not in ignored]
    if not seen:
        return None
    participated = root.sender == user_id or any(reply.sender == user_id for reply in seen)
    return ThreadSummary(latest_event=seen[-1], count=len(seen), current_user_participated=participated)


def reference_chunk(children: Iterable[Pdu], ignored: Collection[str] = ()) -> tuple[str, ...]:
    """The event IDs of the events that refer to a parent by `m.reference`, in the given order."""
    return tuple(child.event_id for child in children if child.sender not in ignored)


def bundle(
    parent: Pdu, children: Iterable[Pdu], user_id: str, *, ignored: Collection[str] = (), redacted: bool = False
) -> Bundle:
    """Aggregate the children of an event for a user; `children` of all kinds are in topological order, oldest first.

    Children that do not relate to the parent, such as redacted ones, are passed over. State events get nothing, a
    redacted parent (`redacted`) no edit.
    """
    if parent.is_state:
        return Bundle()
    by_rel_type: dict[str | None, list[Pdu]] = {}
    for child in children:
        relation = relation_of(child.content)
        if relation is not None and relation.event_id == parent.event_id and child.room_id == parent.room_id:
            by_rel_type.setdefault(relation.rel_type, []).append(child)
    return Bundle(
        edit=None if redacted or parent.sender in ignored else latest_edit(parent, by_rel_type.get("m.replace", ())),
        thread=summarize_thread(parent, by_rel_type.get("m.thread", ()), user_id, ignored),
        references=reference_chunk(by_rel_type.get("m.reference", ()), ignored),
    )
