"""What is written for an event of another server that takes its place in the graph."""

from collections.abc import Collection, Iterable, Mapping, Sequence

import orjson

from myelin.db.sql import Statement
from myelin.matrix.events.pdu import Pdu, StateKey
from myelin.services.rooms.graph.state_point import StatePoint, encode_delta
from myelin.services.rooms.rows import (
    MEMBER,
    EventIndex,
    event_row,
    membership_in,
    relation_statements,
    state_statements,
)
from myelin.store.events import HIDDEN, IN_TIMELINE, place_event
from myelin.store.graph import put_move
from myelin.store.state import begin_state, end_state, remember_room

DUMMY = "org.matrix.dummy_event"
"""What servers send to tie up the ends of a room where nobody speaks."""


def is_hidden(pdu: Pdu) -> bool:
    """Whether clients are never shown events of this kind."""
    return pdu.type == DUMMY and pdu.state_key is None


def row_statement(pdu: Pdu, position: int, flags: int, before: StatePoint | None) -> Statement:
    """The event's row; without a point the state before it is the room's right before its position."""
    if before is None:
        return event_row(place_event, pdu, position, flags)
    delta = encode_delta(before.delta)
    return event_row(place_event, pdu, position, flags, state_base=before.base, state_delta=delta)


def derived_statements(pdu: Pdu, shown: Pdu, position: int, indexes: Sequence[EventIndex]) -> Iterable[Statement]:
    """What is derived from an event that clients are shown, as `shown` if it was redacted before it came."""
    if shown is pdu:
        if "m.relates_to" in pdu.content:
            yield from relation_statements(pdu, position)
        for index in indexes:
            yield from index.statements(pdu, position)
    elif pdu.state_key is not None:
        for index in indexes:
            yield from index.became_state(shown)


def linear_statements(
    pdu: Pdu, shown: Pdu, position: int, *, is_first: bool, indexes: Sequence[EventIndex]
) -> Iterable[Statement]:
    """All that is written for an event that comes next on all that is the end of the room."""
    yield row_statement(pdu, position, IN_TIMELINE, None)
    if pdu.state_key is not None:
        yield from state_statements(shown, position, is_first=is_first)
    yield from derived_statements(pdu, shown, position, indexes)


def hidden_statements(pdu: Pdu, position: int) -> Iterable[Statement]:
    """The same for one that nobody is shown."""
    yield row_statement(pdu, position, HIDDEN, None)
    yield move_statement(pdu.room_id, position)


def move_statement(room_id: str, position: int, *, ended: Iterable[StateKey] = (), is_gap: bool = False) -> Statement:
    """Say to other processes that the room moved on by more or less than an event that is shown."""
    return put_move(position, room_id, orjson.dumps([list(key) for key in ended]).decode(), int(is_gap))


def change_statements(
    room_id: str,
    position: int,
    changes: Mapping[StateKey, str | None],
    memberships: Mapping[str, str | None],
    begun: Collection[StateKey],
) -> Iterable[Statement]:
    """Entries of the state that change at a position; `begun` are those that had one, `memberships` go by event ID."""
    for (kind, state_key), event_id in changes.items():
        if event_id is not None:
            membership = memberships.get(event_id) if kind == MEMBER else None
            yield begin_state(room_id, kind, state_key, position, event_id, membership)
            if membership in ("join", "invite", "knock"):
                yield remember_room(state_key, room_id)
        if (kind, state_key) in begun:
            yield end_state(room_id, kind, state_key, position)


def memberships_of(pdus: Iterable[Pdu]) -> dict[str, str | None]:
    """What membership events say, by ID."""
    return {pdu.event_id: membership_in(pdu) for pdu in pdus if pdu.type == MEMBER}
