"""Leaving, kicking, banning and forgetting."""

from collections.abc import Mapping
from typing import Any

from myelin.bus.news import RoomForgotten
from myelin.db.committer import Committer, Write
from myelin.db.connection import Database
from myelin.matrix.errors import Forbidden, InvalidParam, MatrixError, NotFound
from myelin.matrix.identifiers import is_user_id
from myelin.services.membership.ports import LeaveChecks
from myelin.services.rooms.building import Draft
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.members import is_resident, is_shell, membership_of
from myelin.services.rooms.ports import RemoteRoomSources
from myelin.services.rooms.room import MEMBER, Room
from myelin.services.rooms.writer import RoomWriter
from myelin.store.state import StateStore, forget_room

PRESENT = ("join", "invite", "knock")


class Memberships:
    """Ends memberships, and tells which there are."""

    def __init__(
        self,
        server_name: str,
        database: Database,
        rooms: Rooms,
        writer: RoomWriter,
        committer: Committer,
        remote: RemoteRoomSources,
        leave_checks: LeaveChecks,
    ) -> None:
        self._server_name = server_name
        self._state = StateStore(database)
        self._rooms = rooms
        self._writer = writer
        self._committer = committer
        self._remote = remote
        self._leave_checks = leave_checks

    async def joined_rooms(self, user_id: str) -> list[str]:
        """The rooms a user is joined to."""
        return [m.room_id for m in await self._state.memberships_of(user_id) if m.membership == "join"]

    async def leave_by_choice(self, user_id: str, room_id: str, reason: str | None = None) -> None:
        """Leave a room because the user wants to. Raises what `leave` does, or what says that they must not."""
        room = await self._rooms.find(room_id)
        if room is not None:
            await self._leave_checks.check(user_id, room_id, await membership_of(self._rooms, room, user_id))
        await self.leave(user_id, room_id, reason)

    async def leave(self, user_id: str, room_id: str, reason: str | None = None) -> None:
        """Leave a room, reject an invite or retract a knock. Raises Forbidden or NotFound."""
        room = await self._rooms.find(room_id)
        content = _with_reason({"membership": "leave"}, reason)
        if room is None:
            await self._leave_remotely(user_id, room_id, content)
            return
        membership = await membership_of(self._rooms, room, user_id)
        if membership == "leave":
            return
        if membership is None:
            raise Forbidden("You are not in this room")
        if membership == "ban":
            raise Forbidden("You are banned from this room")
        if membership != "join" and not self._can_write(room):
            await self._leave_remotely(user_id, room_id, content)
            return
        await self._write(room_id, user_id, user_id, content)

    async def kick(self, sender: str, room_id: str, user_id: str, reason: str | None = None) -> None:
        """Remove a user, or take an invite back. Raises Forbidden, NotFound or InvalidParam."""
        room = await self._of_sender(sender, room_id, user_id)
        if await membership_of(self._rooms, room, user_id) not in PRESENT:
            raise Forbidden(f"{user_id} is not in the room")
        await self._write(room_id, sender, user_id, _with_reason({"membership": "leave"}, reason))

    async def ban(self, sender: str, room_id: str, user_id: str, reason: str | None = None) -> None:
        """Keep a user out. Raises Forbidden, NotFound or InvalidParam."""
        await self._of_sender(sender, room_id, user_id)
        await self._write(room_id, sender, user_id, _with_reason({"membership": "ban"}, reason))

    async def unban(self, sender: str, room_id: str, user_id: str, reason: str | None = None) -> None:
        """Let a user be invited or join again. Raises Forbidden, NotFound or InvalidParam."""
        room = await self._of_sender(sender, room_id, user_id)
        if await membership_of(self._rooms, room, user_id) != "ban":
            raise Forbidden(f"{user_id} is not banned from the room")
        await self._write(room_id, sender, user_id, _with_reason({"membership": "leave"}, reason))

    async def forget(self, user_id: str, room_id: str) -> None:
        """Take a room that the user left out of their lists. Raises M_UNKNOWN while they are in it, or NotFound."""
        room = await self._rooms.get(room_id)
        membership = await membership_of(self._rooms, room, user_id)
        if membership is None:
            raise NotFound("You were never in this room")
        if membership in PRESENT:
            raise MatrixError("Leave the room before you forget it", errcode="M_UNKNOWN")
        await self._committer.commit(
            Write(
                lambda position: [forget_room(user_id, room_id, position)],
                news=[RoomForgotten(user_id, room_id)],
            )
        )

    def _can_write(self, room: Room) -> bool:
        """Whether the room's events are written here, not only memberships of our users in it."""
        return is_resident(room, self._server_name) or not (room.joined or is_shell(room))

    async def _of_sender(self, sender: str, room_id: str, user_id: str) -> Room:
        if not is_user_id(user_id):
            raise InvalidParam("This is not a user ID")
        room = await self._rooms.get(room_id)
        if room.membership(sender) != "join":
            raise Forbidden("You are not in this room")
        return room

    async def _leave_remotely(self, user_id: str, room_id: str, content: Mapping[str, Any]) -> None:
        remote = self._remote.first()
        if remote is None:
            raise NotFound("There is no such room here")
        await remote.leave(user_id, room_id, content)

    async def _write(self, room_id: str, sender: str, user_id: str, content: dict[str, Any]) -> None:
        await self._writer.send(room_id, Draft(sender=sender, type=MEMBER, content=content, state_key=user_id))


def _with_reason(content: dict[str, Any], reason: str | None) -> dict[str, Any]:
    if reason is not None:
        content["reason"] = reason
    return content
