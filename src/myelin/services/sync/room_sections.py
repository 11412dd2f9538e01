"""`rooms` in a sync answer: which rooms have something to tell, and what."""

from collections.abc import Awaitable, Sequence
from typing import Any, NamedTuple, TypeVar

import orjson
import structlog

from myelin.db.slices import sliced
from myelin.services.notifications.unread import RECOUNTED_FOR, Unread
from myelin.services.receipts.receipts import Receipts
from myelin.services.rooms.loading import UNREADABLE
from myelin.services.rooms.room import Room
from myelin.services.sync.absent import AbsentRooms
from myelin.services.sync.changed_rooms import ChangedRooms
from myelin.services.sync.joined import JoinedRooms
from myelin.services.sync.reader import Reader
from myelin.services.sync.rooms_ahead import RoomsAhead
from myelin.services.sync.user_rooms import Standing, UserView
from myelin.services.typing.typing_users import TypingUsers
from myelin.services.userdata.user_account_data import GLOBAL, UserAccountData

_log = structlog.get_logger("myelin.sync")

T = TypeVar("T")

ROOMS_AT_ONCE = 100
"""Rooms that are read together, and all that others wait for: those of a user with thousands are told in many slices,
and need not all be in memory at a time."""


class Sections(NamedTuple):
    """What a sync answer says of rooms."""

    rooms: dict[str, Any]
    """`rooms`, empty sections left out."""
    stayed: list[Room]
    """Rooms with news that the reader was in all the time."""
    came: list[Room]
    """Rooms that the reader entered."""
    gone: list[str]
    """Rooms that the reader left."""


class RoomSections:
    """Builds the sections of all rooms that have one."""

    def __init__(
        self,
        ahead: RoomsAhead,
        changed: ChangedRooms,
        joined: JoinedRooms,
        absent: AbsentRooms,
        unread: Unread,
        receipts: Receipts,
        typing: TypingUsers,
    ) -> None:
        self._ahead = ahead
        self._changed = changed
        self._joined = joined
        self._absent = absent
        self._unread = unread
        self._receipts = receipts
        self._typing = typing

    async def build(self, view: UserView, reader: Reader, data: UserAccountData) -> Sections:
        """The sections for one reader, whose view is lent: it stays as it was at `reader.until`."""
        sections = Sections({}, [], [], [])
        moved = dict(view.changed_since(reader.since)) if reader.since is not None else {}
        await self._add_joined(sections, view, reader, data, moved)
        if moved or reader.since is None or reader.full_state:
            await self._add_absent(sections, view, reader, data, moved)
        return sections

    async def _add_joined(
        self,
        sections: Sections,
        view: UserView,
        reader: Reader,
        data: UserAccountData,
        moved: dict[str, Standing],
    ) -> None:
        room_ids = await self._to_tell(view, reader, data, moved)
        join: dict[str, Any] = {}
        async for some in sliced(room_ids, ROOMS_AT_ONCE):
            for room in await self._ahead.rooms(some, view.user_id):
                entered = view.standings[room.room_id].entered
                since = reader.since if reader.since is not None and entered <= reader.since else None
                section = await _shown(room, self._joined.section(room, reader, data, entered, since))
                if section is not None:
                    join[room.room_id] = section
                if isinstance(section, orjson.Fragment):
                    # Nothing but messages: nobody came or went.
                    continue
                if since is not None:
                    sections.stayed.append(room)
                elif reader.since is not None:
                    sections.came.append(room)
        if join:
            sections.rooms["join"] = join

    async def _to_tell(
        self, view: UserView, reader: Reader, data: UserAccountData, moved: dict[str, Standing]
    ) -> Sequence[str]:
        """Joined rooms that may have something to tell."""
        joined, allows = view.joined, reader.wanted.room.allows_room
        if reader.since is None or reader.full_state:
            return [room_id for room_id in joined if allows(room_id)]
        told = await self._changed.among(joined, reader.since, reader.until)
        if read := await self._receipts.rooms_changed(reader.since, reader.until):
            told |= joined & read
        if typed := self._typing.changed_rooms(reader.typing_since):
            told.update(joined.intersection(typed))
        if moved:
            told.update(joined.intersection(moved))
        if data.latest > reader.since:
            for entry in data.changed(reader.since, reader.until):
                if entry.room_id in joined:
                    told.add(entry.room_id)
                elif entry.room_id == GLOBAL and entry.type in RECOUNTED_FOR:
                    told.update(r for r in joined if self._unread.is_counted(view.user_id, r))
        return [room_id for room_id in told if allows(room_id)]

    async def _add_absent(
        self,
        sections: Sections,
        view: UserView,
        reader: Reader,
        data: UserAccountData,
        moved: dict[str, Standing],
    ) -> None:
        """Add the sections of rooms that the reader is not in."""
        standings = view.standings if reader.since is None or reader.full_state else moved
        allows, wants_left = reader.wanted.room.allows_room, reader.wanted.room.include_leave
        absent = {r: s for r, s in standings.items() if s.membership != "join" and allows(r)}
        left = [
            room_id
            for room_id, standing in absent.items()
            if standing.membership not in ("invite", "knock")
            and (room_id in moved or (wants_left and room_id not in view.forgotten))
        ]
        history = await self._absent.history(view.user_id, left)
        wanted = [room_id for room_id, s in absent.items() if room_id in history or s.membership in ("invite", "knock")]
        for room in await self._ahead.rooms(wanted, view.user_id):
            room_id, standing = room.room_id, absent[room.room_id]
            if room_id not in history:
                section = await _shown(room, self._absent.pending(room, reader, standing))
            elif room_id in view.forgotten:
                section = await _shown(room, self._absent.forgotten(room, reader, data, standing))
            else:
                section = await _shown(room, self._absent.left(room, reader, data, standing, history[room_id]))
            if section is not None:
                name = "leave" if room_id in history else standing.membership
                sections.rooms.setdefault(name, {})[room_id] = section
        sections.gone.extend(room_id for room_id in history if room_id in moved)


async def _shown(room: Room, making: Awaitable[T]) -> T | None:
    """A room's section, or None for a room that cannot be shown: it must not keep the others from being shown."""
    try:
        return await making
    except UNREADABLE as error:
        _log.error("a room is left out of an answer, since it cannot be shown", room_id=room.room_id, exc_info=error)
        return None
