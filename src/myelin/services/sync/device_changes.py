"""`device_lists` in a sync answer: whose keys to fetch again, and whose not to track any more."""

from collections.abc import Iterable
from typing import Any

from myelin.services.e2ee.device_lists import DeviceLists
from myelin.services.rooms.room import MEMBER, Room
from myelin.services.rooms.timeline import TimelineEvent
from myelin.services.sync.user_rooms import UserRooms, UserView


class DeviceChanges:
    """Compares what a reader may hear of devices before and now."""

    def __init__(self, device_lists: DeviceLists, users: UserRooms) -> None:
        self._device_lists = device_lists
        self._users = users

    async def between(
        self,
        view: UserView,
        since: int,
        until: int,
        came: Iterable[Room],
        gone: Iterable[Room],
        events: Iterable[TimelineEvent],
    ) -> dict[str, Any]:
        """`came` and `gone` are rooms that the reader entered or left; `events` is what happened in the others."""
        changed = {
            user_id
            for user_id in await self._device_lists.changed_between(since, until, view.user_id)
            if user_id == view.user_id or await self._share(view, user_id)
        }
        maybe_left: set[str] = set()
        for event in events:
            if event.pdu.type == MEMBER and event.pdu.state_key != view.user_id:
                self._note_member(event, changed, maybe_left)
        for room in came:
            changed |= room.joined
        for room in gone:
            maybe_left |= room.joined
        left = [u for u in maybe_left - {view.user_id} if not await self._share(view, u)]
        if not changed and not left:
            return {}
        return {"device_lists": {"changed": sorted(changed.difference(left)), "left": sorted(left)}}

    @staticmethod
    def _note_member(event: TimelineEvent, changed: set[str], maybe_left: set[str]) -> None:
        user_id = event.pdu.state_key or ""
        was = event.replaces.content.get("membership") if event.replaces is not None else None
        now = event.pdu.content.get("membership")
        if now == "join" and was != "join":
            changed.add(user_id)
        elif now != "join":
            maybe_left.add(user_id)

    async def _share(self, view: UserView, user_id: str) -> bool:
        theirs = self._users.recall(user_id) or await self._users.of(user_id)
        return not view.joined.isdisjoint(theirs.joined)
