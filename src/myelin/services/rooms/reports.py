"""Reports of events, rooms and users to the server's administrators (spec: report_content.yaml)."""

from myelin.db.connection import Database, DatabaseError
from myelin.matrix.errors import InvalidParam, NotFound
from myelin.matrix.identifiers import is_event_id, is_user_id
from myelin.matrix.limits import utf8_length
from myelin.services.rooms.cache import Rooms
from myelin.store.events import EventStore
from myelin.store.reports import ReportStore
from myelin.store.users import UserStore
from myelin.telemetry.ambient import Clock

MAX_REASON_BYTES = 8_192
MAX_ATTEMPTS = 20
"""How often a report is numbered again because another one was faster."""


class Reports:
    """Takes reports down."""

    def __init__(self, server_name: str, rooms: Rooms, database: Database, clock: Clock) -> None:
        self._suffix = f":{server_name}"
        self._rooms = rooms
        self._events = EventStore(database)
        self._users = UserStore(database)
        self._store = ReportStore(database)
        self._clock = clock

    async def report_event(self, reporter: str, room_id: str, event_id: str, reason: str) -> None:
        """Report an event of a room that the reporter is in. Raises NotFound or InvalidParam."""
        room = await self._rooms.find(room_id)
        found = await self._events.events([event_id]) if is_event_id(event_id) else []
        is_here = bool(found) and found[0].room_id == room_id
        if room is None or not is_here or room.membership(reporter) != "join":
            raise NotFound("There is no such event, or you are not in its room")
        await self._add("event", reporter, reason, room_id=room_id, event_id=event_id)

    async def report_room(self, reporter: str, room_id: str, reason: str) -> None:
        """Report a room. Raises NotFound or InvalidParam."""
        await self._rooms.get(room_id)
        await self._add("room", reporter, reason, room_id=room_id)

    async def report_user(self, reporter: str, user_id: str, reason: str) -> None:
        """Report a user. Raises NotFound or InvalidParam."""
        if not is_user_id(user_id):
            raise InvalidParam("This is not a user ID")
        if user_id.endswith(self._suffix) and await self._users.user(user_id) is None:
            raise NotFound("There is no such user")
        await self._add("user", reporter, reason, user_id=user_id)

    async def _add(
        self,
        kind: str,
        reporter: str,
        reason: str,
        *,
        room_id: str | None = None,
        event_id: str | None = None,
        user_id: str | None = None,
    ) -> None:
        if utf8_length(reason) > MAX_REASON_BYTES or "\0" in reason:
            raise InvalidParam(f"A reason has at most {MAX_REASON_BYTES} bytes and no NUL")
        now = self._clock.now_ms()
        for _ in range(MAX_ATTEMPTS):
            if await self._store.add(kind, reporter, room_id, event_id, user_id, reason, now):
                return
        raise DatabaseError("more reports arrive at once than can be numbered")
