"""`device_lists` in a sync answer: whose keys to fetch again, and whose not to track any more."""

from collections.abc import Iterable, Sequence, Set
from typing import Any, NamedTuple

from myelin.services.e2ee.device_lists import DeviceLists
from myelin.services.rooms.room import MEMBER, Room
from myelin.services.sync.user_rooms import UserRooms, UserView
from myelin.store.state import StateStore


class Encounters(NamedTuple):
    """Whom a reader met since a token, and whom they may have lost sight of."""

    met: Set[str]
    lost: Set[str]
    invited: Set[str] = frozenset()
    """Who was invited to where the reader is: what is sent there may be meant for them."""


class DeviceChanges:
    """Compares what a reader may hear of devices before and now."""

    def __init__(self, device_lists: DeviceLists, users: UserRooms, state: StateStore) -> None:
        self._device_lists = device_lists
        self._users = users
        self._state = state

    async def encounters(
        self, user_id: str, since: int, until: int, *, stayed: Iterable[Room], came: Iterable[Room], gone: Sequence[str]
    ) -> Encounters:
        """Whom the reader met or lost in rooms where something happened, that they entered, or left."""
        met: set[str] = set()
        lost: set[str] = set()
        invited: set[str] = set()
        unclear = [room.room_id for room in stayed if not _compare_held(room, since, until, met, lost, invited)]
        if unclear:
            met.update(await self._state.joins_begun(unclear, since, until))
            lost.update(await self._state.joins_ended(unclear, since, until))
            invited.update(await self._state.invites_begun(unclear, since, until))
        for room in came:
            met |= room.joined
        for room_id in gone:
            members = await self._state.members_at(room_id, since)
            lost.update(member.user_id for member in members if member.membership == "join")
        met.discard(user_id)
        lost.discard(user_id)
        return Encounters(met, lost, invited)

    async def between(self, view: UserView, since: int, until: int, encounters: Encounters) -> dict[str, Any]:
        """The `device_lists`, in a dict of its own; empty where there is nothing to tell."""
        changed = set(encounters.met)
        for user_id in await self._device_lists.changed_between(since, until, view.user_id):
            if user_id == view.user_id or await share_room(self._users, view, user_id):
                changed.add(user_id)
        left = [user_id for user_id in encounters.lost if not await share_room(self._users, view, user_id)]
        told = {"changed": sorted((changed | encounters.invited).difference(left)), "left": sorted(left)}
        lists = {name: users for name, users in told.items() if users}
        return {"device_lists": lists} if lists else {}


def _compare_held(room: Room, since: int, until: int, met: set[str], lost: set[str], invited: set[str]) -> bool:
    """Note who came and went, from the events in memory; False where these do not tell."""
    if room.timeline.floor > since or room.changed_aside > since:
        return False
    changes = [e for e in room.timeline.since(since) if e.pdu.type == MEMBER and e.position <= until]
    if changes and any(e.replaced_id is not None and e.replaces is None for e in changes):
        return False
    for event in changes:
        if event.pdu.state_key is None:
            continue
        was = event.replaces.content.get("membership") if event.replaces is not None else None
        now = event.pdu.content.get("membership")
        if now == "join" and was != "join":
            met.add(event.pdu.state_key)
        elif now != "join" and was == "join":
            lost.add(event.pdu.state_key)
        if now == "invite":
            invited.add(event.pdu.state_key)
    return True


async def share_room(users: UserRooms, view: UserView, user_id: str) -> bool:
    """Whether a user is in one of the rooms of another."""
    theirs = users.recall(user_id) or await users.of(user_id)
    return not view.joined.isdisjoint(theirs.joined)
