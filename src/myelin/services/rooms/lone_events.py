"""Single events by their ID alone (spec: `GET /events/{eventId}`)."""

from myelin.db.connection import Database
from myelin.http.requester import Requester
from myelin.matrix.errors import NotFound
from myelin.matrix.identifiers import is_event_id
from myelin.services.rooms.event_context import EventContext
from myelin.services.rooms.viewpoint import Viewpoints
from myelin.store.events import EventStore


class LoneEvents:
    """Finds the room of an event, and shows the event to who may see it there."""

    def __init__(self, database: Database, viewpoints: Viewpoints, context: EventContext) -> None:
        self._events = EventStore(database)
        self._viewpoints = viewpoints
        self._context = context

    async def json(self, requester: Requester, event_id: str) -> bytes:
        """An event as JSON. Raises NotFound, also where it may not be seen."""
        found = await self._events.events([event_id]) if is_event_id(event_id) else []
        if not found:
            raise NotFound("There is no such event")
        return await self._context.json(await self._viewpoints.of_events(requester, found[0].room_id), event_id)
