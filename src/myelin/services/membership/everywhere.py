"""Changes in all rooms of a user at once: a new name, or the end of the account.

The first rooms are changed before the request is answered, the rest in the background. What is left to do is a row in
the database, so that a restart takes it up again; doing something twice changes nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import structlog

from myelin.db.connection import Database
from myelin.matrix.errors import Forbidden, MatrixError
from myelin.matrix.events.pdu import Pdu, StateKey
from myelin.services.membership.memberships import PRESENT, Memberships
from myelin.services.rooms.building import Draft
from myelin.services.rooms.ports import MemberNames
from myelin.services.rooms.room import MEMBER
from myelin.services.rooms.writer import RoomWriter
from myelin.store.room_tasks import RoomTaskStore
from myelin.store.state import StateStore
from myelin.telemetry.ambient import Clock

PROFILE = "profile"
LEAVE = "leave"
CHUNK = 20
"""Rooms that are changed at the same time."""
LEASE_MS = 60_000
"""After this time another process may begin with a task again."""
LOOK_EVERY_S = 30

_log = structlog.get_logger("myelin.membership")


class MembershipsEverywhere:
    """Hears of profiles and accounts that changed, and writes it into the rooms."""

    def __init__(
        self, database: Database, writer: RoomWriter, names: MemberNames, memberships: Memberships, clock: Clock
    ) -> None:
        self._state = StateStore(database)
        self._tasks = RoomTaskStore(database)
        self._writer = writer
        self._names = names
        self._memberships = memberships
        self._clock = clock
        self._more = asyncio.Event()

    async def profile_changed(self, user_id: str, field: str, value: Any) -> None:  # noqa: ARG002  (what holds now is read)
        """Show the user's present name and avatar in the rooms they are joined to."""
        await self._begin(user_id, PROFILE)

    async def deactivated(self, user_id: str, *, is_erased: bool) -> None:  # noqa: ARG002  (who may read is decided elsewhere)
        """Take the user out of all rooms."""
        await self._begin(user_id, LEAVE)

    async def run(self) -> None:
        """Do what is left, for ever."""
        while True:
            while await self._next():
                pass
            self._more.clear()
            try:
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._more.wait()
            except TimeoutError:
                continue

    async def _begin(self, user_id: str, kind: str) -> None:
        room_ids = await self._rooms_of(user_id, kind)
        if len(room_ids) > CHUNK:
            await self._tasks.add(user_id, kind, self._clock.now_ms())
            self._more.set()
        await self._do(user_id, kind, room_ids[:CHUNK])

    async def _next(self) -> bool:
        """Do one task that is waiting; False where there is none."""
        now = self._clock.now_ms()
        task = await self._tasks.take(now, now - LEASE_MS)
        if task is None:
            return False
        room_ids = await self._rooms_of(task.user_id, task.kind)
        for start in range(0, len(room_ids), CHUNK):
            await self._do(task.user_id, task.kind, room_ids[start : start + CHUNK])
        await self._tasks.done(task.user_id, task.kind, task.created_ts)
        return True

    async def _rooms_of(self, user_id: str, kind: str) -> list[str]:
        wanted = ("join",) if kind == PROFILE else PRESENT
        return [m.room_id for m in await self._state.memberships_of(user_id) if m.membership in wanted]

    async def _do(self, user_id: str, kind: str, room_ids: Sequence[str]) -> None:
        change = self._leaving(user_id) if kind == LEAVE else await self._renaming(user_id)
        results = await asyncio.gather(*(change(room_id) for room_id in room_ids), return_exceptions=True)
        for room_id, result in zip(room_ids, results, strict=True):
            if isinstance(result, MatrixError):
                # The room's rules say no, or the user has just left: nothing more to do there.
                _log.info("membership not changed", room_id=room_id, kind=kind, errcode=result.errcode)
            elif isinstance(result, BaseException):
                raise result

    def _leaving(self, user_id: str) -> Callable[[str], Awaitable[object]]:
        return lambda room_id: self._memberships.leave(user_id, room_id)

    async def _renaming(self, user_id: str) -> Callable[[str], Awaitable[object]]:
        names = (await self._names.local_names([user_id])).get(user_id, {})
        content = {**names, "membership": "join"}
        draft = Draft(sender=user_id, type=MEMBER, content=content, state_key=user_id)
        return lambda room_id: self._writer.write(room_id, [draft], check=lambda state: _check_joined(state, user_id))


def _check_joined(state: Mapping[StateKey, Pdu], user_id: str) -> None:
    """A new name is no way back into a room that the user has just left."""
    member = state.get((MEMBER, user_id))
    if member is None or member.content.get("membership") != "join":
        raise Forbidden("The user is not in the room")
