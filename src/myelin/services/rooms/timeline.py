"""The newest events of a room in memory, each serialised once for all who will read it."""

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import orjson

from myelin.matrix.events.client_format import client_event_without_room_id
from myelin.matrix.events.pdu import Pdu
from myelin.matrix.push_rules import EventFacts
from myelin.matrix.sticky_events import STICKY, TIME_LEFT, sticky_duration
from myelin.store.relations import Relation

KEPT = 50
"""Events a room keeps in memory; what is older comes from the database."""
BEGINNING = -(2**62)
"""Before every position of the log, those of backfilled events included."""
_TIME_LEFT = TIME_LEFT.encode()
NO_CHILDREN: Sequence[Relation] = ()


class TimelineEvent:
    """An event with its place in the log and its JSON, all but what differs from reader to reader."""

    __slots__ = (
        "because", "children", "device_id", "extra", "facts", "pdu", "position", "replaced_id", "replaces", "stem",
        "sticky_ms", "txn_id",
    )  # fmt: skip

    def __init__(self, position: int, pdu: Pdu, txn: str | None = None) -> None:
        self.position = position
        self.pdu = pdu
        self.device_id, _, self.txn_id = txn.partition("\n") if txn else ("", "", "")
        self.stem: bytes = orjson.dumps(client_event_without_room_id(pdu))[:-1]
        """The client event without `room_id` and `unsigned`, and without its closing brace."""
        self.sticky_ms = sticky_duration(pdu.raw) if STICKY in pdu.raw else None
        self.extra: bytes = b""
        """Members of `unsigned` that are the same for every reader, each with a leading comma."""
        self.replaces: Pdu | None = None
        """For a state event: what was current before it, if it is at hand."""
        self.replaced_id: str | None = None
        """The ID of what was current before it."""
        self.because: bytes = b""
        """The redaction's client JSON, if the event is redacted."""
        self.children: Sequence[Relation] = NO_CHILDREN
        """What relates to the event and is bundled with it, oldest first: edits, replies in its thread, references."""
        self.facts: EventFacts | None = None
        """What push rules look at, once somebody asked for it."""

    def set_replaced(self, replaced: Pdu) -> None:
        """Say in `unsigned` what a state event replaced."""
        self.replaces = replaced
        self.replaced_id = replaced.event_id
        self._say()

    def set_redacted(self, pdu: Pdu, because: bytes) -> None:
        """The event was redacted: `pdu` is what is left, `because` the redaction's client JSON."""
        self.pdu = pdu
        self.facts = None
        self.sticky_ms = None
        self.stem = orjson.dumps(client_event_without_room_id(pdu))[:-1]
        self.set_because(because)

    def set_because(self, because: bytes) -> None:
        """Say in `unsigned` which redaction it was, of an event that is held redacted already."""
        self.because = because
        self._say()

    def as_reason(self) -> bytes:
        """The client JSON of a redaction, for `redacted_because` of what it redacts."""
        return b'%b,"room_id":%b}' % (self.stem, orjson.dumps(self.pdu.room_id))

    def add_child(self, child: Relation) -> None:
        """Note something newer that relates to the event; what is known already is passed over."""
        known = self.children
        if not known:
            self.children = [child]
        elif known[-1].position < child.position:
            assert isinstance(known, list)
            known.append(child)

    def remove_child(self, event_id: str) -> None:
        """What related to the event is redacted."""
        self.children = [child for child in self.children if child.event_id != event_id]

    def _say(self) -> None:
        extra = b""
        if self.because:
            by = orjson.loads(self.because).get("event_id")
            extra = b',"redacted_because":%b,"redacted_by":%b' % (self.because, orjson.dumps(by))
        if self.replaces is not None:
            members = {
                "prev_content": self.replaces.content,
                "prev_sender": self.replaces.sender,
                "replaces_state": self.replaces.event_id,
            }
            extra += b"," + orjson.dumps(members)[1:-1]
        self.extra = extra


class Timeline:
    """The last events of a room, oldest first, complete from `floor` (not included) on."""

    __slots__ = ("_by_id", "_events", "floor")

    def __init__(self, floor: int) -> None:
        self.floor = floor
        self._events: deque[TimelineEvent] = deque()
        self._by_id: dict[str, TimelineEvent] = {}

    def __len__(self) -> int:
        return len(self._events)

    def append(self, event: TimelineEvent) -> None:
        """Add the newest event; the oldest falls out when there are too many."""
        self._events.append(event)
        self._by_id[event.pdu.event_id] = event
        if len(self._events) > KEPT:
            oldest = self._events.popleft()
            self.floor = oldest.position
            self._by_id.pop(oldest.pdu.event_id, None)

    def get(self, event_id: str) -> TimelineEvent | None:
        """An event if it is among the newest."""
        return self._by_id.get(event_id)

    def newest(self, after: int, until: int, limit: int) -> tuple[list[TimelineEvent], bool] | None:
        """The last `limit` events after one position up to another, oldest first, and whether there are more before.

        None where memory does not reach back far enough to tell.
        """
        found: list[TimelineEvent] = []
        for event in self._newest_first():
            if event.position > until:
                continue
            if event.position <= after:
                break
            if len(found) == limit:
                found.reverse()
                return found, True
            found.append(event)
        else:
            if self.floor > after:
                return None
        found.reverse()
        return found, False

    def back(self, after: int, until: int, limit: int) -> list[TimelineEvent]:
        """Those of the last `limit` events after one position up to another that are in memory, newest first."""
        found: list[TimelineEvent] = []
        for event in self._newest_first():
            if event.position <= after or len(found) == limit:
                break
            if event.position <= until:
                found.append(event)
        return found

    def since(self, after: int) -> Iterator[TimelineEvent]:
        """The events in memory after a position, oldest first."""
        newer = 0
        for event in self._newest_first():
            if event.position <= after:
                break
            newer += 1
        return islice(self._events, len(self._events) - newer, None)

    def _newest_first(self) -> Iterator[TimelineEvent]:
        return reversed(self._events)


def render_json(
    event: TimelineEvent,
    now_ms: int,
    *,
    device_id: str | None = None,
    user_id: str | None = None,
    room_id: str | None = None,
    more: bytes = b"",
) -> bytes:
    """The client event as JSON: `more` are further members of `unsigned`, each with a leading comma.

    The transaction ID is for the device that sent the event; with `user_id` it must also be this user's.
    """
    if event.txn_id and event.device_id == device_id and user_id in (None, event.pdu.sender):
        more += transaction_part(event)
    return render_plain(event, now_ms, b"" if room_id is None else room_part(room_id), more)


def render_plain(event: TimelineEvent, now_ms: int, room: bytes, more: bytes) -> bytes:
    """The client event as JSON, with `room_part` or nothing, and further members of `unsigned`."""
    age = now_ms - event.pdu.origin_server_ts
    if event.sticky_ms is not None and (left := event.sticky_ms - max(age, 0)) > 0:
        more += b',"%b":%d' % (_TIME_LEFT, left)
    return b'%b%b,"unsigned":{"age":%d%b%b}}' % (event.stem, room, age if age > 0 else 0, event.extra, more)


def room_part(room_id: str) -> bytes:
    """The member `room_id` of an event, with a leading comma."""
    return b',"room_id":' + orjson.dumps(room_id)


def transaction_part(event: TimelineEvent) -> bytes:
    """The member `transaction_id` of `unsigned`, with a leading comma."""
    return b',"transaction_id":' + orjson.dumps(event.txn_id)


def render(
    event: TimelineEvent,
    now_ms: int,
    *,
    device_id: str | None = None,
    user_id: str | None = None,
    room_id: str | None = None,
    more: bytes = b"",
) -> Any:
    """The client event as JSON to splice into an answer; see `render_json`."""
    return orjson.Fragment(render_json(event, now_ms, device_id=device_id, user_id=user_id, room_id=room_id, more=more))
