"""From what is queued to what is sent, as things stand at the time of sending."""

from typing import Any

import orjson

from myelin.services.push.badges import Badges
from myelin.services.push.notification import Notifications
from myelin.services.push.targets import is_read
from myelin.services.receipts.receipts import Receipts
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.client_events import ClientEvents
from myelin.services.rooms.room import Room
from myelin.services.rooms.timeline import TimelineEvent
from myelin.store.pushers import Pusher, QueuedPush


class Composer:
    """Leaves out what its user has read, left or cannot see any more since it was queued."""

    def __init__(
        self, rooms: Rooms, events: ClientEvents, receipts: Receipts, badges: Badges, notifications: Notifications
    ) -> None:
        self._rooms = rooms
        self._events = events
        self._receipts = receipts
        self._badges = badges
        self._notifications = notifications

    async def compose(self, pusher: Pusher, queued: QueuedPush) -> tuple[dict[str, Any] | None, int]:
        """The notification, None where there is nothing to say, and the unread count that it tells."""
        badge = await self._badges.of(pusher.user_id, queued.room_id)
        found = await self.event(pusher.user_id, queued) if queued.event_id else None
        if found is not None:
            room, event = found
            tweaks = orjson.loads(queued.tweaks)
            return await self._notifications.of_event(pusher, room, event, tweaks, badge), badge.unread
        if badge.unread == pusher.badge:
            return None, badge.unread
        return self._notifications.of_badge(pusher, badge), badge.unread

    async def event(self, user_id: str, queued: QueuedPush) -> tuple[Room, TimelineEvent] | None:
        """What is queued, as long as its user has not read it and is not out of the room."""
        room = await self._rooms.find(queued.room_id)
        if room is None or room.membership(user_id) is None:
            return None
        event = (await self._events.by_id(room, [queued.event_id])).get(queued.event_id)
        if event is None or event.because:
            return None
        receipts = await self._receipts.of_room(room.room_id)
        return None if is_read(event, receipts.read_up_to(user_id)) else (room, event)
