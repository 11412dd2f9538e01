"""The extensions that speak of the device: its messages, keys and the devices of others (MSC3884, MSC3885)."""

from collections.abc import Iterable
from typing import Any

import orjson

from myelin.matrix.errors import InvalidParam
from myelin.services.e2ee.device_lists import DeviceLists
from myelin.services.e2ee.key_counts import KeyCounts
from myelin.services.e2ee.to_device import ToDevice
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.room import MEMBER
from myelin.services.rooms.timeline import TimelineEvent
from myelin.services.sliding_sync.request import ToDeviceBody
from myelin.services.sliding_sync.user_list import UserList
from myelin.services.sync.user_rooms import UserRooms, UserView
from myelin.store.sliding_sync import SlidingSyncStore
from myelin.store.state import StateStore

MAX_TO_DEVICE = 100
MAX_TOKEN_DIGITS = 18


class DeviceExtensions:
    """Answers them."""

    def __init__(
        self,
        store: SlidingSyncStore,
        state: StateStore,
        users: UserRooms,
        rooms: Rooms,
        to_device: ToDevice,
        device_lists: DeviceLists,
        key_counts: KeyCounts,
    ) -> None:
        self._store = store
        self._state = state
        self._users = users
        self._rooms = rooms
        self._to_device = to_device
        self._device_lists = device_lists
        self._key_counts = key_counts

    async def delivered(self, user_id: str, device_id: str, wanted: ToDeviceBody) -> None:
        """The device has its messages up to the token that it sends. Raises InvalidParam."""
        since = _position(wanted)
        if since and not self._to_device.has_none(user_id, device_id, -1):
            await self._to_device.delete_through(user_id, device_id, since)

    async def messages(self, user_id: str, device_id: str, wanted: ToDeviceBody, until: int) -> dict[str, Any]:
        """`to_device`: the messages after its own token."""
        since = _position(wanted)
        if self._to_device.has_none(user_id, device_id, since) or wanted.limit <= 0:
            return {"next_batch": str(since if wanted.limit <= 0 else max(since, until)), "events": []}
        limit = min(wanted.limit, MAX_TO_DEVICE)
        messages = await self._to_device.messages(user_id, device_id, since, until, limit)
        reached = messages[-1].position if len(messages) == limit else max(since, until)
        return {"next_batch": str(reached), "events": [orjson.Fragment(message.json) for message in messages]}

    async def keys(self, mine: UserList, device_id: str, since: int | None, until: int) -> tuple[dict[str, Any], bool]:
        """`e2ee`, and whether other users' devices changed."""
        user_id = mine.view.user_id
        counts = self._key_counts.recall(user_id, device_id) or await self._key_counts.of(user_id, device_id)
        answer: dict[str, Any] = {
            "device_one_time_keys_count": orjson.Fragment(counts.counts_json),
            "device_unused_fallback_key_types": orjson.Fragment(counts.fallback_json),
        }
        if since is None or since >= until:
            return answer, False
        changed, left = await self._device_changes(mine, since, until)
        if changed or left:
            answer["device_lists"] = {"changed": sorted(changed), "left": sorted(left)}
        return answer, bool(changed or left)

    async def _device_changes(self, mine: UserList, since: int, until: int) -> tuple[set[str], set[str]]:
        """Whose keys to fetch again, and who shares no room with the reader any more."""
        view = mine.view
        changed = await self._device_lists.changed_between(since, until, view.user_id)
        maybe = await self._met(mine, since, until)
        if not changed and not maybe:
            return set(), set()
        maybe.discard(view.user_id)
        sharing = {u for u in changed | maybe if u == view.user_id or await self._share(view, u)}
        return (changed | maybe) & sharing, maybe - sharing

    async def _met(self, mine: UserList, since: int, until: int) -> set[str]:
        """Who may have begun or ceased to share a room with the reader."""
        view, met = mine.view, set[str]()
        for room_id, standing in view.changed_since(since):
            was = await self._membership_at(view.user_id, room_id, since)
            room = await self._rooms.find(room_id) if (was == "join") != (standing.membership == "join") else None
            if room is not None:
                met |= room.joined
        active = [room_id for room_id in mine.changed_since(since) if room_id in view.joined]
        return met | await self._members_changed(active, since, until)

    async def _membership_at(self, user_id: str, room_id: str, position: int) -> str | None:
        history = await self._state.memberships_in(user_id, room_id)
        return next((m.membership for m in history if m.from_pos <= position < m.to_pos), None)

    async def _members_changed(self, room_ids: Iterable[str], since: int, until: int) -> set[str]:
        """From memory where it reaches back far enough."""
        found: set[str] = set()
        unknown: list[str] = []
        for room_id in room_ids:
            room = self._rooms.peek(room_id)
            if room is None or room.timeline.floor > since:
                unknown.append(room_id)
                continue
            events = (e for e in room.timeline.since(since) if e.pdu.type == MEMBER)
            found.update(e.pdu.state_key for e in events if e.pdu.state_key is not None and not _is_rename(e))
        if unknown:
            found.update(await self._store.members_changed(unknown, since, until))
        return found

    async def _share(self, view: UserView, user_id: str) -> bool:
        theirs = self._users.recall(user_id) or await self._users.of(user_id)
        return not view.joined.isdisjoint(theirs.joined)


def _is_rename(event: TimelineEvent) -> bool:
    """Whether somebody who was in a room is still in it."""
    was = event.replaces.content.get("membership") if event.replaces is not None else None
    return was == "join" and event.pdu.content.get("membership") == "join"


def _position(wanted: ToDeviceBody) -> int:
    since = wanted.since
    if not since:
        return 0
    if len(since) > MAX_TOKEN_DIGITS or not since.isascii() or not since.isdigit():
        raise InvalidParam("to_device.since is not a token that this server gave")
    return int(since)
