"""Redactions that come from other servers, before or after what they redact."""

from collections.abc import Iterable, Mapping, Sequence

import orjson

from myelin.db.connection import Database
from myelin.db.sql import Statement
from myelin.matrix.auth_rules.domains import same_domain
from myelin.matrix.events.pdu import Pdu
from myelin.matrix.events.redaction import redact
from myelin.matrix.power_levels import PowerLevels
from myelin.services.rooms.redaction import REDACTION
from myelin.services.rooms.room import CREATE, Room, redacted
from myelin.services.rooms.rows import EventIndex, relation_in, to_pdu
from myelin.store.events import EventStore, StoredEvent, redact_event
from myelin.store.graph import GraphStore, await_redacted, settle_redactions
from myelin.store.relations import delete_relation

POWER_LEVELS = "m.room.power_levels"


class RedactionPlan:
    """What some new events redact, and by what they are redacted themselves."""

    def __init__(self) -> None:
        self.hidden: set[str] = set()
        """Redactions that are not valid, or of events that are not here: clients must not act on them."""
        self.shown_as: dict[str, Pdu] = {}
        """New events that were redacted before they came, as what is left of them."""
        self.statements: dict[str, list[Statement]] = {}
        """By the ID of the new event with which they are written."""

    def add(self, event_id: str, statements: Iterable[Statement]) -> None:
        """Write something with an event."""
        self.statements.setdefault(event_id, []).extend(statements)


class Redacting:
    """Works out what redactions do."""

    def __init__(self, database: Database, indexes: Sequence[EventIndex]) -> None:
        self._events = EventStore(database)
        self._gaps = GraphStore(database)
        self._indexes = indexes

    async def plan(self, room: Room, pdus: Sequence[Pdu]) -> RedactionPlan:
        """What is to be done with events that are about to be written."""
        plan = RedactionPlan()
        await self._redacted_early(room, pdus, plan)
        new = {pdu.event_id: pdu for pdu in pdus}
        redactions = [pdu for pdu in pdus if pdu.type == REDACTION and pdu.state_key is None]
        rows = {}
        if wanted := [r.redacts for r in redactions if r.redacts is not None and r.redacts not in new]:
            rows = {row.event_id: row for row in await self._events.events(wanted) if row.room_id == room.room_id}
        for redaction in redactions:
            self._redact(room, redaction, new, rows, plan)
        return plan

    def _redact(
        self, room: Room, redaction: Pdu, new: Mapping[str, Pdu], rows: Mapping[str, StoredEvent], plan: RedactionPlan
    ) -> None:
        target_id = redaction.redacts
        if target_id is None:
            plan.hidden.add(redaction.event_id)
            return
        row, target = rows.get(target_id), new.get(target_id)
        if row is not None:
            target = to_pdu(row, room.version)
        if target is None:
            plan.hidden.add(redaction.event_id)
            plan.add(redaction.event_id, [await_redacted(target_id, redaction.event_id, room.room_id)])
        elif not is_valid(room, redaction, target):
            plan.hidden.add(redaction.event_id)
        else:
            plan.add(redaction.event_id, self._taking(room, redaction, target, None if row is None else row.position))

    def _taking(self, room: Room, redaction: Pdu, target: Pdu, position: int | None) -> Iterable[Statement]:
        """What takes the content of an event; without a position it is written in the same batch."""
        left = redact(target.raw, room.version)
        yield redact_event(target.event_id, redaction.event_id, orjson.dumps(left))
        if position is None:
            return
        relation = relation_in(target, position)
        if relation is not None:
            yield delete_relation(relation.relates_to, position)
        for index in self._indexes:
            yield from index.redacted(target, position)

    async def _redacted_early(self, room: Room, pdus: Sequence[Pdu], plan: RedactionPlan) -> None:
        """Events whose redaction is here already."""
        awaited = await self._gaps.awaited_redactions([pdu.event_id for pdu in pdus])
        if not awaited:
            return
        rows = {row.event_id: row for row in await self._events.events([a.event_id for a in awaited])}
        by_id = {pdu.event_id: pdu for pdu in pdus}
        for redacts, redaction_id in awaited:
            row, target = rows.get(redaction_id), by_id[redacts]
            redaction = None if row is None or row.room_id != room.room_id else to_pdu(row, room.version)
            if redacts in plan.shown_as or redaction is None or not is_valid(room, redaction, target):
                continue
            plan.shown_as[redacts] = redacted(target, room.version)
            plan.add(redacts, [*self._taking(room, redaction, target, None), settle_redactions(redacts)])


def is_valid(room: Room, redaction: Pdu, target: Pdu) -> bool:
    """Whether a redaction that the rules allow is to be applied (spec: rooms/v3, "Handling redactions").

    In versions 1 and 2 the rules themselves look at who may redact.
    """
    if target.room_id != redaction.room_id:
        return False
    if room.version.redaction_auth_rule or same_domain(redaction.sender, target.sender):
        return True
    levels = PowerLevels(room.current(POWER_LEVELS), room.current(*CREATE), room.version)
    return levels.power_level_of(redaction.sender) >= levels.level("redact")
