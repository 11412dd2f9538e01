"""Iterative auth checks: replaying events one by one (spec: rooms/v2, "State resolution", Definitions)."""

from collections.abc import Iterable, Mapping

from myelin.matrix.auth_rules import auth_event_keys_for, check_auth_rules
from myelin.matrix.errors import AuthRejected
from myelin.matrix.events.asking import Asking
from myelin.matrix.events.pdu import Pdu, StateKey, StateMap
from myelin.matrix.room_versions import RoomVersion


class Replay:
    """A state that grows by the events that are allowed in it, upon a base that is only read."""

    def __init__(self, base: StateMap, events: dict[str, Pdu], create: Pdu | None, version: RoomVersion) -> None:
        self.resolved: StateMap = {}
        """What was allowed so far."""
        self._base = base
        self._events = events
        self._create = create
        self._version = version

    def state_event(self, key: StateKey) -> Pdu | None:
        """The event of the state as it is now."""
        event_id = self.resolved.get(key) or self._base.get(key)
        return None if event_id is None else self._events.get(event_id)

    def load_base(self, event_ids: Iterable[str]) -> Asking[None]:
        """Ask for the events of the base that authorize the given ones."""
        keys = {key for event_id in event_ids for key in self._auth_keys(self._events[event_id])}
        wanted = frozenset(self._base[key] for key in keys if key in self._base).difference(self._events)
        if wanted:
            self._events.update((yield wanted))

    def apply(self, ordered: Iterable[Pdu]) -> None:
        """Take in each event that the rules allow, in this order."""
        for event in ordered:
            try:
                check_auth_rules(event, self._auth_state(event), self._version, create=self._create)
            except AuthRejected:
                continue
            self.resolved[event.key] = event.event_id

    def _auth_state(self, event: Pdu) -> Mapping[StateKey, Pdu]:
        """The state as the rules need it; the event's own auth events, unless rejected, fill what is not there."""
        auth_state: dict[StateKey, Pdu] = {}
        for auth_id in event.auth_events:
            auth_event = self._events.get(auth_id)
            if auth_event is not None and auth_event.is_state and not auth_event.rejected:
                auth_state[auth_event.key] = auth_event
        for key in self._auth_keys(event):
            state_event = self.state_event(key)
            if state_event is not None:
                auth_state[key] = state_event
        return auth_state

    def _auth_keys(self, event: Pdu) -> list[StateKey]:
        return auth_event_keys_for(event.type, event.sender, event.state_key, event.content, self._version)
