"""Which events a user was notified of, derived from the log and their present rules (spec: notifications.yaml)."""

from contextlib import aclosing
from typing import Any, NamedTuple

from myelin.db.connection import Database
from myelin.matrix.push_rules import Actions, evaluate
from myelin.services.notifications.unread import facts_of
from myelin.services.push.backwards import Backwards
from myelin.services.push.room_names import RoomNames
from myelin.services.push.targets import is_read
from myelin.services.receipts.receipts import Receipts
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.client_events import ClientEvents
from myelin.services.rooms.room import Room
from myelin.services.rooms.timeline import TimelineEvent, render
from myelin.services.rooms.visibility import Visibility
from myelin.services.threads.subscribers import ThreadSubscribers
from myelin.services.userdata.ignored_users import IgnoredUsers
from myelin.services.userdata.push_rules import PushRulesets
from myelin.store.events import EventStore
from myelin.store.unread_rooms import UnreadRoomStore
from myelin.telemetry.ambient import Clock

MAX_LOOKED_AT = 2_000
"""Events looked at for one answer; one with fewer notifications than asked for says where to go on."""


class Page(NamedTuple):
    """Notifications, newest first, and the position to go on before; None where there are no more."""

    notifications: list[dict[str, Any]]
    next_before: int | None


class _Reader(NamedTuple):
    user_id: str
    device_id: str | None
    only_highlights: bool


class NotifiedEvents:
    """Reads rooms back from the newest event on."""

    def __init__(
        self,
        database: Database,
        rooms: Rooms,
        events: ClientEvents,
        visibility: Visibility,
        receipts: Receipts,
        rules: PushRulesets,
        ignored_users: IgnoredUsers,
        names: RoomNames,
        subscribers: ThreadSubscribers,
        clock: Clock,
    ) -> None:
        self._unread_rooms = UnreadRoomStore(database)
        self._backwards = Backwards(EventStore(database), rooms, visibility)
        self._rooms = rooms
        self._events = events
        self._visibility = visibility
        self._receipts = receipts
        self._rules = rules
        self._ignored_users = ignored_users
        self._names = names
        self._subscribers = subscribers
        self._clock = clock

    async def page(
        self, user_id: str, device_id: str | None, *, before: int | None, limit: int, only_highlights: bool
    ) -> Page:
        """The notifications before a position, None for the newest."""
        reader = _Reader(user_id, device_id, only_highlights)
        found: list[dict[str, Any]] = []
        looked_at = 0
        active = await self._unread_rooms.active(user_id)
        async with aclosing(self._backwards.read(user_id, active, before)) as rows:
            async for row in rows:
                if looked_at >= MAX_LOOKED_AT or len(found) >= limit:
                    return Page(found, row.position + 1)
                looked_at += 1
                room = await self._rooms.get(row.room_id)
                for event in await self._events.of_rows(room, [row]):
                    notification = await self._notification(room, event, reader)
                    if notification is not None:
                        found.append(notification)
        return Page(found, None)

    async def _notification(self, room: Room, event: TimelineEvent, reader: _Reader) -> dict[str, Any] | None:
        actions = await self._actions(room, event, reader.user_id)
        if actions is None or not actions.notify or (reader.only_highlights and not actions.highlight):
            return None
        receipts = await self._receipts.of_room(room.room_id)
        return {
            "actions": actions.raw,
            # No rule of the server's has a tag.
            "profile_tag": "",
            "event": render(event, self._clock.now_ms(), device_id=reader.device_id),
            "read": is_read(event, receipts.read_up_to(reader.user_id)),
            "room_id": room.room_id,
            "ts": event.pdu.origin_server_ts,
        }

    async def _actions(self, room: Room, event: TimelineEvent, user_id: str) -> Actions | None:
        if event.pdu.sender == user_id or event.because:
            return None
        rules = self._rules.recall(user_id) or await self._rules.of(user_id)
        facts, name = facts_of(room, event), await self._names.of_member(room, user_id)
        await self._subscribers.complete(facts, rules)
        actions = evaluate(rules, facts, user_id, name or None)
        if not actions.notify or event.pdu.sender in await self._ignored_users.of(user_id):
            return None
        return actions if await self._visibility.visible(room, user_id, [event]) else None
