"""Notes which events are sticky, in the transactions that write them."""

from myelin.db.sql import Statement
from myelin.matrix.events.pdu import Pdu
from myelin.matrix.sticky_events import STICKY, sticky_until
from myelin.store.sticky_events import delete_sticky_event, put_sticky_event
from myelin.telemetry.ambient import Clock


class StickyIndex:
    """An EventIndex of sticky events."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def statements(self, pdu: Pdu, position: int) -> list[Statement]:
        """What to write for a new event."""
        if STICKY not in pdu.raw:
            return []
        now = self._clock.now_ms()
        until = sticky_until(pdu.raw, pdu.origin_server_ts, now)
        if until is None or until <= now:
            return []
        return [put_sticky_event(pdu.event_id, pdu.room_id, pdu.sender, position, until)]

    def redacted(self, pdu: Pdu, position: int) -> list[Statement]:  # noqa: ARG002  (an EventIndex)
        """What to write when an event is redacted: then it is one like others."""
        return [delete_sticky_event(pdu.event_id)] if STICKY in pdu.raw else []

    def became_state(self, pdu: Pdu) -> list[Statement]:  # noqa: ARG002  (an EventIndex)
        """What to write when an event becomes current state without being new in the timeline."""
        return []
