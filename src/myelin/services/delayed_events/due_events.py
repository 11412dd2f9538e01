"""Sending a delayed event for its user, as if the user sent it now (MSC4140)."""

import orjson
import structlog

from myelin.db.connection import Database
from myelin.http.requester import Requester
from myelin.matrix.errors import Forbidden, MatrixError
from myelin.services.membership.by_state import StateSender
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.sending import EventSender
from myelin.services.rooms.writer import Once
from myelin.store.delayed_events import DelayedEvent, DelayedEventStore
from myelin.store.users import UserStore

LEASE_MS = 60_000
"""After this time another process may begin to send an event again; its transaction makes that harmless."""

_log = structlog.get_logger("myelin.delayed_events")


class DueEvents:
    """Sends what is due, and forgets it whatever comes of it."""

    def __init__(self, database: Database, rooms: Rooms, events: EventSender, state: StateSender) -> None:
        self._store = DelayedEventStore(database)
        self._users = UserStore(database)
        self._rooms = rooms
        self._events = events
        self._state = state

    async def send_or_drop(self, event: DelayedEvent) -> None:
        """Send it; what the room's rules refuse is dropped: nobody is there to be told."""
        try:
            await self.send(event)
        except MatrixError as error:
            _log.info("delayed event dropped", room_id=event.room_id, errcode=error.errcode)

    async def send(self, event: DelayedEvent) -> None:
        """Send it. Raises MatrixError where it cannot be sent, and then never will be."""
        try:
            await self._send(event)
        except MatrixError:
            await self._store.delete(event.delay_id)
            raise
        await self._store.delete(event.delay_id)

    async def _send(self, event: DelayedEvent) -> None:
        requester = await self._requester(event)
        content = orjson.loads(event.content)
        if event.state_key is None:
            once = Once(event.user_id, event.device_id, event.delay_id, f"delayed/{event.room_id}")
            await self._events.send(
                event.user_id, event.room_id, event.type, content, once=once, sticky_ms=event.sticky_ms
            )
        elif not await self._is_superseded(event, event.state_key):
            key = event.type, event.state_key
            await self._state.put(requester, event.room_id, key, content, sticky_ms=event.sticky_ms)

    async def _requester(self, event: DelayedEvent) -> Requester:
        """The user as it stands now. Raises Forbidden for an account that may not send any more."""
        user = await self._users.user(event.user_id)
        if user is None or user.is_deactivated or user.is_locked or user.is_suspended:
            raise Forbidden("The account may not send events any more")
        return Requester(user.user_id, event.device_id, "", is_guest=user.kind == "guest")

    async def _is_superseded(self, event: DelayedEvent, state_key: str) -> bool:
        """Whether somebody else has set this piece of state since: theirs stays."""
        room = await self._rooms.get(event.room_id)
        await self._rooms.hold_state(room, [(event.type, state_key)])
        current = room.current(event.type, state_key)
        return (
            current is not None and current.sender != event.user_id and current.origin_server_ts >= event.running_since
        )
