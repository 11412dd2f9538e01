"""`rooms` in a sync answer: which rooms have something to tell, and what."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from myelin.services.receipts.receipts import Receipts
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.room import MEMBER, Room
from myelin.services.rooms.timeline import TimelineEvent
from myelin.services.sync.absent import AbsentRooms
from myelin.services.sync.changed_rooms import ChangedRooms
from myelin.services.sync.device_changes import DeviceChanges
from myelin.services.sync.joined import JoinedRooms, Reader
from myelin.services.sync.user_rooms import Standing, UserView
from myelin.services.typing.typing_users import TypingUsers
from myelin.services.userdata.user_account_data import UserAccountData
from myelin.store.state import StateStore


class Sections(NamedTuple):
    """What a sync answer says of rooms."""

    rooms: dict[str, Any]
    """`rooms`, empty sections left out."""
    device_lists: dict[str, Any]
    """`device_lists` in a dict of its own."""
    newcomers: set[str]
    """Who shares a room with the reader since the token, as far as these rooms tell."""


class RoomSections:
    """Builds the sections of all rooms that have one."""

    def __init__(
        self,
        rooms: Rooms,
        state: StateStore,
        changed: ChangedRooms,
        joined: JoinedRooms,
        absent: AbsentRooms,
        devices: DeviceChanges,
        receipts: Receipts,
        typing: TypingUsers,
    ) -> None:
        self._rooms = rooms
        self._state = state
        self._changed = changed
        self._joined = joined
        self._absent = absent
        self._devices = devices
        self._receipts = receipts
        self._typing = typing

    async def build(self, view: UserView, reader: Reader, data: UserAccountData) -> Sections:
        """The sections for one reader."""
        moved = view.changed_since(reader.since) if reader.since is not None else []
        fresh = {room_id: s for room_id, s in moved if s.position <= reader.until}
        new_rooms = await self._new_rooms(view, reader, fresh)
        join: dict[str, Any] = {}
        happened: list[TimelineEvent] = []
        for room_id in await self._to_tell(view, reader, data, fresh):
            room = self._rooms.peek(room_id) or await self._rooms.get(room_id)
            is_new = reader.since is None or room_id in new_rooms
            joined_at = view.standings[room_id].position
            section = await self._joined.section(room, reader, data, joined_at=joined_at, is_new=is_new)
            if section is not None:
                join[room_id] = section
            if reader.since is not None and not is_new:
                happened.extend(e for e in room.timeline.since(reader.since) if e.pdu.is_state)
        rooms: dict[str, Any] = {"join": join} if join else {}
        gone = await self._add_absent(rooms, view, reader, fresh)
        if reader.since is None:
            return Sections(rooms, {}, set())
        came = [entered for room_id in new_rooms if (entered := self._rooms.peek(room_id)) is not None]
        device_lists = await self._devices.between(view, reader.since, reader.until, came, gone, happened)
        newcomers = {e.pdu.state_key for e in happened if _is_join(e) and e.pdu.state_key is not None}
        return Sections(rooms, device_lists, newcomers.union(*(room.joined for room in came)))

    async def _to_tell(
        self, view: UserView, reader: Reader, data: UserAccountData, fresh: dict[str, Standing]
    ) -> Iterable[str]:
        """Joined rooms that may have something to tell."""
        allows = reader.wanted.room.allows_room
        known = [r for r in view.joined if r not in fresh or view.standings[r].position <= reader.until]
        if reader.since is None or reader.full_state:
            return [room_id for room_id in known if allows(room_id)]
        joined = view.joined
        told = await self._changed.among(joined, reader.since, reader.until)
        told |= joined & await self._receipts.rooms_changed(reader.since, reader.until)
        told.update(r for r in self._typing.changed_rooms(reader.typing_since) if r in joined)
        if data.latest > reader.since:
            told.update(e.room_id for e in data.changed(reader.since, reader.until) if e.room_id in joined)
        told.update(r for r in fresh if r in joined)
        return [r for r in told if view.standings[r].position <= reader.until and allows(r)]

    async def _new_rooms(self, view: UserView, reader: Reader, fresh: dict[str, Standing]) -> set[str]:
        """Rooms that the reader entered since the token: not those where only their name changed."""
        new: set[str] = set()
        if reader.since is None:
            return new
        for room_id, standing in fresh.items():
            if standing.membership == "join":
                history = await self._state.memberships_in(view.user_id, room_id)
                after = [m for m in history if m.to_pos > reader.since and m.from_pos <= reader.until]
                if any(m.membership != "join" for m in after) or after[0].from_pos > reader.since:
                    new.add(room_id)
        return new

    async def _add_absent(
        self, rooms: dict[str, Any], view: UserView, reader: Reader, fresh: dict[str, Standing]
    ) -> list[Room]:
        """Add the sections of rooms that the reader is not in; the rooms that they left."""
        standings = view.standings if reader.since is None or reader.full_state else fresh
        gone: list[Room] = []
        for room_id, standing in list(standings.items()):
            kind = standing.membership
            if kind == "join" or standing.position > reader.until or not reader.wanted.room.allows_room(room_id):
                continue
            room = await self._rooms.find(room_id)
            if room is None:
                continue
            if kind in ("invite", "knock"):
                await self._add_stripped(rooms, room, reader, standing)
            elif room_id not in view.forgotten and (room_id in fresh or reader.wanted.room.include_leave):
                section = await self._absent.left(room, reader, standing, since=reader.since)
                if section is not None:
                    rooms.setdefault("leave", {})[room_id] = section
                    gone.append(room)
        return gone

    async def _add_stripped(self, rooms: dict[str, Any], room: Room, reader: Reader, standing: Standing) -> None:
        stripped = await self._absent.stripped(room, reader.user_id, standing)
        if standing.membership == "knock":
            rooms.setdefault("knock", {})[room.room_id] = {"knock_state": stripped}
            return
        sender = stripped["events"][-1]["sender"] if stripped["events"] else ""
        if sender not in reader.ignored:
            rooms.setdefault("invite", {})[room.room_id] = {"invite_state": stripped}


def _is_join(event: TimelineEvent) -> bool:
    was = event.replaces.content.get("membership") if event.replaces is not None else None
    return event.pdu.type == MEMBER and event.pdu.content.get("membership") == "join" and was != "join"
