"""What the server itself has to tell users (spec: "Server Notices").

Each user has one room for it, tagged `m.server_notice`, to which they are invited when there is a first notice. The
invite cannot be rejected; who has joined may leave, and is invited again for the next notice.
"""

from typing import Any

from myelin.config.sections.messaging import Notices
from myelin.db.connection import Database
from myelin.http.requester import Requester
from myelin.matrix.errors import MatrixError, NotFound
from myelin.services.notices.notice_rooms import INVITED, NoticeRooms
from myelin.services.rooms.building import Draft
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.create import RoomCreation
from myelin.services.rooms.members import membership_of
from myelin.services.rooms.new_room import NewRoom
from myelin.services.rooms.room import MEMBER
from myelin.services.rooms.writer import Once, RoomWriter
from myelin.services.userdata.tags import Tags
from myelin.store.users import UserStore
from myelin.telemetry.ambient import Clock

TAG = "m.server_notice"
MSGTYPE = "m.server_notice"
PRESENT = ("join", INVITED)
MESSAGE = "m.room.message"
POWER_LEVELS = {"users_default": -10}
"""Users read here, and write nothing."""


class ServerNotices:
    """Sends notices, for any part of the server that has something to tell."""

    def __init__(
        self,
        config: Notices,
        server_name: str,
        database: Database,
        rooms: Rooms,
        creation: RoomCreation,
        writer: RoomWriter,
        tags: Tags,
        notice_rooms: NoticeRooms,
        clock: Clock,
    ) -> None:
        self._config = config
        self._users = UserStore(database)
        self._rooms = rooms
        self._creation = creation
        self._writer = writer
        self._tags = tags
        self._notice_rooms = notice_rooms
        self._clock = clock
        self.sender = f"@{config.localpart}:{server_name}"
        """The user in whose name notices are sent."""

    async def send(
        self,
        user_id: str,
        content: dict[str, Any],
        *,
        event_type: str = MESSAGE,
        state_key: str | None = None,
        txn_id: str | None = None,
    ) -> str:
        """Send an event to a user's room for notices; its ID, the same for the same transaction.

        Raises NotFound for who is no user here, M_UNKNOWN where notices are switched off, and what sending raises.
        """
        if not self._config.enabled:
            raise MatrixError("This server sends no notices: switch them on in its configuration")
        user = await self._users.user(user_id)
        if user is None or user.is_deactivated:
            raise NotFound("There is no such user here")
        room_id = await self._room_of(user_id)
        await self._invite(room_id, user_id)
        once = None if txn_id is None else Once(self.sender, "", txn_id, f"notice/{room_id}")
        draft = Draft(sender=self.sender, type=event_type, content=content, state_key=state_key)
        return await self._writer.send(room_id, draft, once=once)

    async def tell(self, user_id: str, text: str, **more: Any) -> str:
        """Send a text as a notice; `more` are further members such as `server_notice_type`. Raises what `send` does."""
        return await self.send(user_id, {"msgtype": MSGTYPE, "body": text, **more})

    async def _room_of(self, user_id: str) -> str:
        """The user's room, made if there is none."""
        known = await self._notice_rooms.of_user(user_id)
        if known is not None and await self._rooms.find(known) is not None:
            return known
        async with self._notice_rooms.making(user_id):
            known = await self._notice_rooms.of_user(user_id)
            return known or await self._make_room(user_id)

    async def _make_room(self, user_id: str) -> str:
        await self._make_sender()
        wanted = NewRoom(name=self._config.room_name, preset="private_chat", power_level_content_override=POWER_LEVELS)
        room_id = await self._creation.create(self.sender, wanted, Requester(self.sender, None, "", is_limited=False))
        room_id = await self._notice_rooms.keep(user_id, room_id)
        await self._tags.put(user_id, room_id, TAG, {})
        return room_id

    async def _make_sender(self) -> None:
        """An account that nobody can sign in to."""
        await self._users.add_user(
            self.sender,
            kind="user",
            password_hash=None,
            is_admin=False,
            appservice_id=None,
            created_ts=self._clock.now_ms(),
        )

    async def _invite(self, room_id: str, user_id: str) -> None:
        """Notices are for those too who want no invites."""
        room = await self._rooms.get(room_id)
        if await membership_of(self._rooms, room, user_id) not in PRESENT:
            content = {"membership": INVITED}
            await self._writer.send(room_id, Draft(sender=self.sender, type=MEMBER, content=content, state_key=user_id))
