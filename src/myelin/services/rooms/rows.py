"""What an event is in the database: its row, its place in the state, its relation."""

from collections.abc import Callable, Iterable, Sequence, Set
from typing import Protocol

import orjson

from myelin.db.sql import Statement
from myelin.matrix.events.parse import parse_pdu
from myelin.matrix.events.pdu import Pdu
from myelin.matrix.identifiers import is_event_id
from myelin.matrix.room_versions import RoomVersion
from myelin.store.events import IN_TIMELINE, REJECTED, StoredEvent, put_event
from myelin.store.relations import Relation, put_relation
from myelin.store.state import begin_state, end_state, remember_room

MEMBER = "m.room.member"
MAX_REL_TYPE_CHARS = 255


class EventIndex(Protocol):
    """Something else that is derived from events, written in the same transaction."""

    def statements(self, pdu: Pdu, position: int) -> list[Statement]:
        """What to write for a new event."""
        ...

    def redacted(self, pdu: Pdu, position: int) -> list[Statement]:
        """What to write when an event is redacted: `pdu` is as it was before."""
        ...

    def became_state(self, pdu: Pdu) -> list[Statement]:
        """What to write when an event becomes current state without being new in the timeline."""
        ...


def event_statements(
    pdus: Sequence[Pdu], first: int, *, firsts: Set[str], txn: str | None, indexes: Sequence[EventIndex]
) -> Iterable[Statement]:
    """All that is written for events that follow each other in the log and on the room's tip.

    `firsts` are the IDs of state events whose key had no state before.
    """
    for offset, pdu in enumerate(pdus):
        position = first + offset
        yield event_row(put_event, pdu, position, IN_TIMELINE, txn=txn)
        if pdu.state_key is not None:
            yield from state_statements(pdu, position, is_first=pdu.event_id in firsts)
        if "m.relates_to" in pdu.content:
            yield from relation_statements(pdu, position)
        for index in indexes:
            yield from index.statements(pdu, position)


def event_row(
    put: Callable[..., Statement],
    pdu: Pdu,
    position: int,
    flags: int,
    *,
    state_base: int | None = None,
    state_delta: str | None = None,
    txn: str | None = None,
) -> Statement:
    """The event's own row, put as `put_event` does or another of its kind."""
    return put(
        position,
        pdu.event_id,
        pdu.room_id,
        pdu.type,
        pdu.sender,
        pdu.state_key,
        pdu.origin_server_ts,
        flags,
        state_base,
        state_delta,
        txn,
        orjson.dumps(pdu.raw),
    )


def state_statements(pdu: Pdu, position: int, *, is_first: bool) -> Iterable[Statement]:
    """The event becomes current state; what was current before ends."""
    event_type, state_key = pdu.key
    membership = membership_in(pdu)
    yield begin_state(pdu.room_id, event_type, state_key, position, pdu.event_id, membership)
    if is_first:
        return
    yield end_state(pdu.room_id, event_type, state_key, position)
    if membership in ("join", "invite", "knock"):
        yield remember_room(state_key, pdu.room_id)


def membership_in(pdu: Pdu) -> str | None:
    """What a membership event says; None for other events."""
    membership = pdu.content.get("membership") if pdu.type == MEMBER else None
    return membership if isinstance(membership, str) else None


def relation_in(pdu: Pdu, position: int) -> Relation | None:
    """The event's relation to another, if it is well-formed."""
    relates_to = pdu.content.get("m.relates_to")
    if not isinstance(relates_to, dict) or pdu.state_key is not None:
        return None
    rel_type, event_id, key = (relates_to.get(name) for name in ("rel_type", "event_id", "key"))
    # What cannot be indexed, or kept by PostgreSQL at all, relates to nothing.
    if not isinstance(rel_type, str) or len(rel_type) > MAX_REL_TYPE_CHARS or "\0" in rel_type:
        return None
    if not is_event_id(event_id):
        return None
    aggregation_key = key if isinstance(key, str) and "\0" not in key else None
    return Relation(event_id, position, pdu.event_id, rel_type, pdu.type, pdu.sender, aggregation_key)


def relation_statements(pdu: Pdu, position: int) -> Iterable[Statement]:
    """The row of the event's relation to another, if it has one."""
    relation = relation_in(pdu, position)
    if relation is not None:
        relates_to, _, event_id, rel_type, kind, sender, key = relation
        yield put_relation(relates_to, position, event_id, pdu.room_id, rel_type, kind, sender, key)


def to_pdu(row: StoredEvent, version: RoomVersion) -> Pdu:
    """The event in a row."""
    return parse_pdu(orjson.loads(row.json), version, event_id=row.event_id, rejected=bool(row.flags & REJECTED))
