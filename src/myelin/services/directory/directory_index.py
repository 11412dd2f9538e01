"""Marks what a new event changes in the user directory, in the transaction that writes the event."""

from myelin.db.sql import Statement
from myelin.matrix.events.pdu import Pdu
from myelin.services.directory.entries import OPEN_RULES
from myelin.store.user_directory import mark_stale

MEMBER = "m.room.member"


class UserDirectoryIndex:
    """An EventIndex of rooms that show their members, and of other servers' users."""

    def __init__(self, server_name: str) -> None:
        self._ours = f":{server_name}"

    def statements(self, pdu: Pdu, position: int) -> list[Statement]:  # noqa: ARG002  (an EventIndex)
        """What to write for a new event."""
        if pdu.state_key is None:
            return []
        if pdu.type in OPEN_RULES:
            return [mark_stale(pdu.room_id)]
        if pdu.type != MEMBER:
            return []
        # Of other servers' users the newest profile is shown, of rooms with ours in them whether they have any.
        return [mark_stale(pdu.room_id if pdu.state_key.endswith(self._ours) else pdu.state_key)]

    def redacted(self, pdu: Pdu, position: int) -> list[Statement]:
        """What to write when an event is redacted."""
        return self.statements(pdu, position)

    def became_state(self, pdu: Pdu) -> list[Statement]:
        """What to write when an event becomes current state without being new in the timeline."""
        return self.statements(pdu, 0)
