"""Redactions by our users: may they, and what is left of the event."""

from collections.abc import Mapping, Sequence

import orjson

from myelin.db.connection import Database
from myelin.db.sql import Statement
from myelin.matrix.errors import Forbidden, NotFound
from myelin.matrix.events.pdu import Pdu
from myelin.matrix.events.redaction import redact
from myelin.matrix.power_levels import PowerLevels
from myelin.services.rooms.building import Draft
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.room import Room
from myelin.services.rooms.rows import EventIndex, relation_in, to_pdu
from myelin.store.events import EventStore, StoredEvent, redact_event
from myelin.store.relations import delete_relation

REDACTION = "m.room.redaction"
UNREDACTABLE = frozenset({"m.room.create", "m.room.encryption", "m.room.server_acl"})
"""State that must not lose its content by accident."""

Redacted = Mapping[str, tuple[StoredEvent, Pdu]]
"""Events that are to be redacted, by ID."""


class Redactions:
    """Looks up what is to be redacted."""

    def __init__(self, database: Database, rooms: Rooms) -> None:
        self._events = EventStore(database)
        self._rooms = rooms

    async def prepare(self, room: Room, drafts: Sequence[Draft]) -> Redacted:
        """The events that the drafts redact, by ID. Raises NotFound, or Forbidden where the sender may not."""
        wanted = [d.redacts for d in drafts if d.type == REDACTION and d.redacts is not None]
        if not wanted:
            return {}
        rows = {row.event_id: row for row in await self._events.events(wanted) if row.room_id == room.room_id}
        targets = {event_id: (row, to_pdu(row, room.version)) for event_id, row in rows.items()}
        for draft in drafts:
            if draft.type == REDACTION and draft.redacts is not None:
                if draft.redacts not in targets:
                    raise NotFound("There is no such event in this room")
                _check_may_redact(room, draft.sender, targets[draft.redacts][1])
        return targets

    @staticmethod
    def statements(
        room: Room,
        targets: Redacted,
        pdus: Sequence[Pdu],
        indexes: Sequence[EventIndex],
    ) -> list[Statement]:
        """What is written beside the redactions themselves."""
        statements: list[Statement] = []
        for pdu in pdus:
            if pdu.redacts is None or pdu.redacts not in targets:
                continue
            row, target = targets[pdu.redacts]
            left = redact(target.raw, room.version)
            statements.append(redact_event(row.event_id, pdu.event_id, orjson.dumps(left)))
            relation = relation_in(target, row.position)
            if relation is not None:
                statements.append(delete_relation(relation.relates_to, row.position))
            for index in indexes:
                statements.extend(index.redacted(target, row.position))
        return statements


def _check_may_redact(room: Room, sender: str, target: Pdu) -> None:
    if target.state_key is not None and target.type in UNREDACTABLE:
        raise Forbidden(f"{target.type} cannot be redacted: the room would not work without it")
    if target.sender == sender:
        return
    levels = PowerLevels(room.current("m.room.power_levels"), room.current("m.room.create"), room.version)
    if levels.power_level_of(sender) < levels.level("redact"):
        raise Forbidden("You may redact only your own events in this room")
