"""From rows to events as clients see them: with what they replaced, why they were redacted, what relates to them."""

from collections.abc import Sequence

import orjson

from myelin.db.connection import Database
from myelin.matrix.events.parse import parse_pdu
from myelin.matrix.room_versions import RoomVersion
from myelin.services.rooms.rows import to_pdu
from myelin.services.rooms.timeline import TimelineEvent
from myelin.store.events import EventStore, StoredEvent
from myelin.store.relations import RelationStore


class Decoration:
    """Reads what belongs to events beside their own rows."""

    def __init__(self, database: Database) -> None:
        self._events = EventStore(database)
        self._relations = RelationStore(database)

    async def events(self, rows: Sequence[StoredEvent], version: RoomVersion) -> list[TimelineEvent]:
        """The events of rows of one room, in their order.

        It takes one query for what relates to them, more only where there are state events or redacted ones.
        """
        events = [TimelineEvent(row.position, to_pdu(row, version), row.txn) for row in rows]
        by_id = {event.pdu.event_id: event for event in events}
        await self._add_children(by_id)
        await self._add_replaced(by_id, version)
        await self._add_redactions(rows, by_id, version)
        return events

    async def state_events(self, rows: Sequence[StoredEvent], version: RoomVersion) -> list[TimelineEvent]:
        """State events of some rows, in their order, without what they replaced: for lists that may be long."""
        events = [TimelineEvent(row.position, to_pdu(row, version), row.txn) for row in rows]
        await self._add_redactions(rows, {event.pdu.event_id: event for event in events}, version)
        return events

    async def _add_children(self, by_id: dict[str, TimelineEvent]) -> None:
        parents = [event_id for event_id, event in by_id.items() if event.pdu.state_key is None]
        if parents:
            room_id = by_id[parents[0]].pdu.room_id
            for child in await self._relations.bundled(room_id, parents):
                by_id[child.relates_to].add_child(child)

    async def _add_replaced(self, by_id: dict[str, TimelineEvent], version: RoomVersion) -> None:
        state = [event_id for event_id, event in by_id.items() if event.pdu.state_key is not None]
        if state:
            for row in await self._events.replaced(state):
                replaced = parse_pdu(orjson.loads(row.json), version, event_id=row.event_id)
                by_id[row.replaced_by].set_replaced(replaced)

    async def _add_redactions(
        self, rows: Sequence[StoredEvent], by_id: dict[str, TimelineEvent], version: RoomVersion
    ) -> None:
        redacted_by = {row.event_id: row.redacted_by for row in rows if row.redacted_by is not None}
        if not redacted_by:
            return
        redactions = {row.event_id: row for row in await self._events.events(list(set(redacted_by.values())))}
        for event_id, redaction_id in redacted_by.items():
            redaction = redactions.get(redaction_id)
            if redaction is not None:
                reason = TimelineEvent(redaction.position, to_pdu(redaction, version)).as_reason()
                by_id[event_id].set_because(reason)
