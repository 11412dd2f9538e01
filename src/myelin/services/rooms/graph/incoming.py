"""An event of another server with what was found about it."""

import msgspec

from myelin.matrix.events.pdu import Pdu, StateMap
from myelin.services.rooms.graph.state_point import StatePoint


class Incoming(msgspec.Struct, frozen=True):
    """An event to be written, and the verdict of the checks on receipt."""

    pdu: Pdu
    state_before: StateMap | StatePoint | None = None
    """Read-only. None says that all it hangs on is here, so that the graph tells."""
    rejected: bool = False
    """The rules do not allow it: it is kept, and what hangs on it can be judged."""
    soft_failed: bool = False
    """The rules allow it where it stands, but not in the room as it is now: nobody is shown it."""

    @property
    def is_accepted(self) -> bool:
        """Whether it becomes part of the room like any other event."""
        return not self.rejected and not self.soft_failed
