"""Which of a room's events a reader is given: those they may see, of users they do not ignore, that a filter wants."""

from collections import defaultdict
from collections.abc import Sequence

from myelin.db.connection import Database
from myelin.matrix.events.pdu import Pdu
from myelin.matrix.filters import EventFilter
from myelin.services.rooms.timeline import TimelineEvent
from myelin.services.rooms.viewpoint import Viewpoint
from myelin.services.rooms.visibility import shown
from myelin.services.userdata.ignored_users import IgnoredUsers
from myelin.store.relations import RelationStore


class Selection:
    """Chooses events from pages."""

    def __init__(self, database: Database, ignored_users: IgnoredUsers) -> None:
        self._relations = RelationStore(database)
        self._ignored_users = ignored_users

    async def of(self, view: Viewpoint, events: Sequence[TimelineEvent], wanted: EventFilter) -> list[TimelineEvent]:
        """Those of the events, in their order, that the reader is given."""
        if wanted.passes_none:
            return []
        chosen = shown(view.room, view.sight, events)
        ignored = await self._ignored_users.of(view.user_id)
        if ignored:
            chosen = [e for e in chosen if e.pdu.state_key is not None or e.pdu.sender not in ignored]
        if wanted.passes_all or not chosen:
            return chosen
        related = await self._related(view, chosen) if wanted.needs_relations else {}
        return [e for e in chosen if matches(wanted, e.pdu, related.get(e.pdu.event_id, ()))]

    async def _related(self, view: Viewpoint, events: Sequence[TimelineEvent]) -> dict[str, list[tuple[str, str]]]:
        related: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for row in await self._relations.to_events(view.room.room_id, [e.pdu.event_id for e in events]):
            if view.sight.may_see_at(row.position):
                related[row.relates_to].append((row.rel_type, row.sender))
        return related


def matches(wanted: EventFilter, pdu: Pdu, related: Sequence[tuple[str, str]] = ()) -> bool:
    """Whether a filter wants an event."""
    has_url = isinstance(pdu.content.get("url"), str)
    return wanted.matches(pdu.type, pdu.sender, pdu.room_id, has_url=has_url, related=related)
