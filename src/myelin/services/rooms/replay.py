"""A room's history walked from its create event on: what the state must have been, and what breaks the rules.

Nothing but the events themselves is believed. The walk follows the log's order, in which an event comes after all
that it hangs on, and keeps the state after an event for as long as another may hang on it.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from myelin.matrix.auth_rules import auth_event_keys_for, check_auth_events, check_auth_rules
from myelin.matrix.errors import AuthRejected
from myelin.matrix.events.asking import answer
from myelin.matrix.events.format import max_depth
from myelin.matrix.events.pdu import Pdu, StateKey, StateMap
from myelin.matrix.room_versions import RoomVersion
from myelin.matrix.state_resolution import resolve

CREATE: StateKey = ("m.room.create", "")


class Finding(NamedTuple):
    """Something that is not as it must be."""

    kind: str
    """Which promise is broken."""
    about: str
    """An event ID, a state key, or whatever else the finding is about."""
    text: str


class PlacedEvent(NamedTuple):
    """An event of the timeline, and whether a redaction took its content."""

    position: int
    pdu: Pdu
    is_redacted: bool = False


class Begun(NamedTuple):
    """From a position on an entry of the state is this event; None: there is none any more."""

    position: int
    event_id: str | None


class Replay:
    """The outcome of the walk."""

    def __init__(self, version: RoomVersion, events: Sequence[PlacedEvent]) -> None:
        self.findings: list[Finding] = []
        self.extremities: set[str] = set()
        self.state: StateMap = {}
        """The room's state after the last event."""
        self.intervals: dict[StateKey, list[Begun]] = {}
        """For each entry all that it ever was, oldest first."""
        self.depths: dict[str, int] = {}
        self.beside_the_tip: set[str] = set()
        """Events that did not hang on all that was the end of the room before them."""
        self._version = version
        self._state_events: dict[str, Pdu] = {}
        self._after: dict[str, StateMap] = {}
        self._uses = Counter(prev for event in events for prev in set(event.pdu.prev_events))
        for event in events:
            self._step(event)

    def _step(self, event: PlacedEvent) -> None:
        pdu = event.pdu
        known = [prev for prev in dict.fromkeys(pdu.prev_events) if prev in self._after]
        self._check_place(pdu, known)
        if self.depths and set(known) != self.extremities:
            self.beside_the_tip.add(pdu.event_id)
        # Where what it hangs on is lost, the room's state is the best guess, and one loss is not a finding an event.
        before = self._resolved(known) if known else self.state
        if not event.is_redacted:
            self._check_rules(pdu, before)
        after = before
        if pdu.state_key is not None:
            self._state_events[pdu.event_id] = pdu
            after = {**before, pdu.key: pdu.event_id}
        self.depths[pdu.event_id] = pdu.depth
        self.extremities.difference_update(known)
        self.extremities.add(pdu.event_id)
        self._after[pdu.event_id] = after
        self._move(event, before, after)
        self._forget(known)

    def _check_place(self, pdu: Pdu, known: list[str]) -> None:
        """The event hangs on earlier events of the room, and is deeper than they are."""
        is_first = not self.depths
        if (pdu.type == "m.room.create") is not is_first:
            self._find("create", pdu.event_id, "the create event is the first one, and the only one of its type")
        if is_first:
            if pdu.prev_events:
                self._find("graph", pdu.event_id, "the create event hangs on something")
        elif not pdu.prev_events:
            self._find("graph", pdu.event_id, "it hangs on nothing")
        for prev in set(pdu.prev_events).difference(known):
            self._find("graph", pdu.event_id, f"it hangs on {prev}, which is no earlier event of the room")
        deepest = max((self.depths[prev] for prev in known), default=0)
        if pdu.depth != min(deepest + 1, max_depth(self._version)):
            self._find("depth", pdu.event_id, f"its depth is {pdu.depth}, and {deepest} that of what it hangs on")

    def _check_rules(self, pdu: Pdu, before: StateMap) -> None:
        create = self._state_events.get(before.get(CREATE, ""))
        keys = auth_event_keys_for(pdu.type, pdu.sender, pdu.state_key, pdu.content, self._version)
        held = {key: self._state_events[before[key]] for key in keys if key in before}
        try:
            named = check_auth_events(pdu, self._state_events, self._version)
            check_auth_rules(pdu, named, self._version, create=create)
        except AuthRejected as error:
            self._find("auth", pdu.event_id, f"its auth events do not allow it: {error.rule}: {error.reason}")
        try:
            check_auth_rules(pdu, held, self._version, create=create)
        except AuthRejected as error:
            self._find("auth", pdu.event_id, f"the state before it does not allow it: {error.rule}: {error.reason}")

    def _resolved(self, event_ids: Iterable[str]) -> StateMap:
        """The state where these events meet."""
        states = [self._after[event_id] for event_id in event_ids]
        return states[0] if len(states) == 1 else answer(resolve(states, self._version), self._state_events)

    def _move(self, event: PlacedEvent, before: StateMap, after: StateMap) -> None:
        """The room's state is that of all its ends together."""
        old = self.state
        if before is old and len(self.extremities) == 1:
            changed = [] if after is before else [event.pdu.key]
            self.state = after
        else:
            self.state = self._resolved(sorted(self.extremities))
            changed = [key for key in {**old, **self.state} if old.get(key) != self.state.get(key)]
        for key in changed:
            self.intervals.setdefault(key, []).append(Begun(event.position, self.state.get(key)))

    def _forget(self, event_ids: Iterable[str]) -> None:
        for event_id in event_ids:
            self._uses[event_id] -= 1
            if not self._uses[event_id] and event_id not in self.extremities:
                del self._after[event_id]

    def _find(self, kind: str, about: str, text: str) -> None:
        self.findings.append(Finding(kind, about, text))
