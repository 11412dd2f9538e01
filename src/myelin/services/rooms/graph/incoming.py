"""An event of another server with what was found about it."""

from collections.abc import Iterable

import msgspec

from myelin.bus.news import EventForwarded, News
from myelin.db.sql import Statement
from myelin.matrix.events.pdu import Pdu, StateMap
from myelin.services.rooms.graph.state_point import StatePoint
from myelin.store.destinations import put_forwarded_event


class Incoming(msgspec.Struct, frozen=True):
    """An event to be written, and the verdict of the checks on receipt."""

    pdu: Pdu
    state_before: StateMap | StatePoint | None = None
    """Read-only. None says that all it hangs on is here, so that the graph tells."""
    rejected: bool = False
    """The rules do not allow it: it is kept, and what hangs on it can be judged."""
    soft_failed: bool = False
    """The rules allow it where it stands, but not in the room as it is now: nobody is shown it."""

    sent_on_from: str = ""
    """The server through which it came into the room, where this one is to send it to all others that are there."""

    @property
    def is_accepted(self) -> bool:
        """Whether it becomes part of the room like any other event."""
        return not self.rejected and not self.soft_failed

    def sending_on(self, position: int) -> Iterable[Statement]:
        """What is written with the event so that it is sent on, whatever becomes of the process."""
        if self.sent_on_from:
            yield put_forwarded_event(position, self.pdu.room_id, self.pdu.event_id, self.sent_on_from)

    @property
    def news_of_sending_on(self) -> tuple[News, ...]:
        """The news that goes with it."""
        if not self.sent_on_from:
            return ()
        return (EventForwarded(self.pdu.room_id, self.pdu.event_id, self.sent_on_from),)
