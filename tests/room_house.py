"""The room engine with its indexes on a database of a test's own, without HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from inprocess import SERVER_NAME, make_config
from myelin.app.build import lay_ground
from myelin.app.ground import Ground
from myelin.app.parts.directory import make_directory
from myelin.app.parts.rooms import make_rooms
from myelin.app.parts.search import make_search_index
from myelin.services.rooms.building import Draft
from myelin.services.rooms.writer import RoomWriter
from myelin.store.users import UserStore
from myelin.telemetry.ambient import SystemClock, SystemRandomness


def user(name: str) -> str:
    """A user of this server."""
    return f"@{name}:{SERVER_NAME}"


class House:
    """Rooms to write to, and the services of the parts."""

    def __init__(self, ground: Ground, services: dict[type, Any]) -> None:
        self.ground = ground
        self.services = services
        self.writer: RoomWriter = services[RoomWriter]

    async def add_users(self, *names: str, kind: str = "user") -> None:
        """Make accounts."""
        for name in names:
            await UserStore(self.ground.database).add_user(
                user(name), kind=kind, password_hash=None, is_admin=False, appservice_id=None, created_ts=1
            )

    async def make_room(self, creator: str, *joined: str, join_rule: str = "invite", visibility: str = "shared") -> str:
        """A room with these members; its ID."""
        made = user(creator)
        drafts = [
            Draft(sender=made, type="m.room.create", content={"room_version": "11"}, state_key=""),
            Draft(sender=made, type="m.room.member", content={"membership": "join"}, state_key=made),
            Draft(sender=made, type="m.room.power_levels", content={"users": {made: 100}}, state_key=""),
            Draft(sender=made, type="m.room.join_rules", content={"join_rule": "public"}, state_key=""),
            Draft(
                sender=made,
                type="m.room.history_visibility",
                content={"history_visibility": visibility},
                state_key="",
            ),
        ]
        self._rooms = getattr(self, "_rooms", 0) + 1
        room_id = (await self.writer.create(f"!room{self._rooms}:{SERVER_NAME}", "11", drafts)).room_id
        for name in joined:
            await self.set_membership(room_id, name, "join")
        if join_rule != "public":
            await self.set_state(room_id, creator, "m.room.join_rules", {"join_rule": join_rule})
        return room_id

    async def set_membership(self, room_id: str, name: str, membership: str, **content: Any) -> str:
        """Join or leave; a name with a server is another server's user."""
        user_id = f"@{name}" if ":" in name else user(name)
        draft = Draft(
            sender=user_id, type="m.room.member", content={"membership": membership, **content}, state_key=user_id
        )
        return await self.writer.send(room_id, draft)

    async def set_state(self, room_id: str, name: str, kind: str, content: dict[str, Any]) -> str:
        """Set state without a state key."""
        return await self.writer.send(room_id, Draft(sender=user(name), type=kind, content=content, state_key=""))

    async def say(self, room_id: str, name: str, body: Any, kind: str = "m.room.message") -> str:
        """Send a message; its event ID."""
        content = {"msgtype": "m.text", "body": body}
        return await self.writer.send(room_id, Draft(sender=user(name), type=kind, content=content))

    async def redact(self, room_id: str, name: str, event_id: str) -> str:
        """Redact an event."""
        draft = Draft(sender=user(name), type="m.room.redaction", content={"redacts": event_id}, redacts=event_id)
        return await self.writer.send(room_id, draft)


@asynccontextmanager
async def room_house(folder: Path, url: str = "", **sections: Any) -> AsyncIterator[House]:
    """The house for the time of the block."""
    ground = await lay_ground(make_config(folder, url, **sections), SystemClock(), SystemRandomness())
    services: dict[type, Any] = {}
    try:
        for make in (make_directory, make_search_index, make_rooms):
            services.update(make(ground, services).services)
        yield House(ground, services)
        await ground.committer.drain()
    finally:
        await ground.database.close()
