"""The types of rooms (`m.space`), kept with the rooms: lists of thousands of rooms are sorted out by them."""

from myelin.db.sql import Statement
from myelin.matrix.events.pdu import Pdu
from myelin.matrix.events.redaction import redact
from myelin.matrix.room_versions import ROOM_VERSIONS
from myelin.store.rooms import put_room_type

CREATE = "m.room.create"
FIRST_VERSION = "1"
"""Of rooms whose create event names none."""


def type_statements(pdu: Pdu) -> list[Statement]:
    """What to write beside a create event that names a type; what PostgreSQL cannot keep is none."""
    named = pdu.content.get("type") if pdu.type == CREATE and pdu.state_key == "" else None
    return [put_room_type(pdu.room_id, named)] if isinstance(named, str) and named and "\0" not in named else []


class RoomTypeIndex:
    """An EventIndex."""

    def statements(self, pdu: Pdu, position: int) -> list[Statement]:  # noqa: ARG002  (an EventIndex)
        """What to write for a new event."""
        return type_statements(pdu) if pdu.type == CREATE else []

    def redacted(self, pdu: Pdu, position: int) -> list[Statement]:  # noqa: ARG002  (an EventIndex)
        """What to write when an event is redacted: of a create event, older room versions keep no type."""
        if not type_statements(pdu):
            return []
        version = ROOM_VERSIONS.get(pdu.content.get("room_version", FIRST_VERSION))
        keeps = version is not None and "type" in redact(pdu.raw, version)["content"]
        return [] if keeps else [put_room_type(pdu.room_id, None)]

    def became_state(self, pdu: Pdu) -> list[Statement]:
        """What to write when an event becomes current state without being new in the timeline."""
        return type_statements(pdu)
