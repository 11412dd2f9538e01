"""Sticky events that a room's timeline in a sync answer does not show (MSC4354)."""

from typing import Any

from myelin.services.rooms.client_events import ClientEvents
from myelin.services.rooms.room import Room
from myelin.services.sticky_events.sticky_events import StickyEvents
from myelin.services.sync.reader import Reader
from myelin.services.sync.rendering import Rendering
from myelin.services.sync.timelines import Stretch


class StickySections:
    """Makes them."""

    def __init__(self, sticky: StickyEvents, events: ClientEvents, rendering: Rendering) -> None:
        self._sticky = sticky
        self._events = events
        self._rendering = rendering

    async def events(self, room: Room, reader: Reader, after: int, stretch: Stretch, entered: int) -> list[Any]:
        """What is sticky of the events after a position, whatever filter and history visibility say of them."""
        rows = await self._sticky.in_room(room.room_id, after, reader.until)
        if not rows:
            return []
        shown = {event.pdu.event_id for event in stretch.events}
        wanted = [row.event_id for row in rows if row.event_id not in shown and row.sender not in reader.ignored]
        found = await self._events.by_id(room, wanted)
        events = [found[event_id] for event_id in wanted if event_id in found and not found[event_id].because]
        return await self._rendering.timeline(room, reader, events, entered)
