"""An event of another server with what was found about it."""

import msgspec

from myelin.matrix.events.pdu import Pdu, StateMap


class Incoming(msgspec.Struct, frozen=True):
    """An event to be written, and the verdict of the checks on receipt."""

    pdu: Pdu
    state_before: StateMap | None
    """Read-only. None says: what it hangs on is all that is the end of the room, so it is the room's state then."""
    rejected: bool = False
    """The rules do not allow it: it is kept, and what hangs on it can be judged."""
    soft_failed: bool = False
    """The rules allow it where it stands, but not in the room as it is now: nobody is shown it."""
