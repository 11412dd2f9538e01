"""What users had set up for a room goes with them to the room that replaces it."""

from typing import Any

import orjson

from myelin.matrix.errors import MatrixError, NotFound
from myelin.services.membership.ports import RoomMoves
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.members import content_of
from myelin.services.rooms.room import CREATE, Room
from myelin.services.userdata.account_data import AccountData
from myelin.services.userdata.push_rules import PushRules
from myelin.services.userdata.tags import TAG
from myelin.services.userdata.user_account_data import GLOBAL

DIRECT = "m.direct"
TOMBSTONE = "m.room.tombstone"


class ReplacedRooms:
    """Notices who comes from a room that was upgraded."""

    def __init__(self, rooms: Rooms, moves: RoomMoves) -> None:
        self._rooms = rooms
        self._moves = moves

    async def joined(self, user_id: str, room: Room) -> None:
        """The user has just joined a room: tell the listeners if it replaces one that they were in.

        Whoever makes a room may call anything its predecessor; only the tombstone in the old room proves it.
        """
        old_id = predecessor_of(room)
        if old_id is None or not self._moves:
            return
        old = await self._rooms.find(old_id)
        if old is None or ("m.room.member", user_id) not in old.state:
            return
        if content_of(old, TOMBSTONE).get("replacement_room") == room.room_id:
            for move in self._moves:
                await move.moved(user_id, old_id, room.room_id)


class SettingsMove:
    """Copies tags, push rules and the mark of a direct chat."""

    def __init__(self, account_data: AccountData, push_rules: PushRules) -> None:
        self._account_data = account_data
        self._push_rules = push_rules

    async def moved(self, user_id: str, old_room_id: str, new_room_id: str) -> None:
        """Set the new room up like the old one, where the user has not done so already."""
        try:
            await self._move_tags(user_id, old_room_id, new_room_id)
            await self._move_direct(user_id, old_room_id, new_room_id)
            await self._move_push_rules(user_id, old_room_id, new_room_id)
        except MatrixError:
            # A limit is reached: joining matters more than its trimmings.
            return

    async def _move_tags(self, user_id: str, old_room_id: str, new_room_id: str) -> None:
        try:
            tags = await self._account_data.get(user_id, old_room_id, TAG)
        except NotFound:
            return
        await self._account_data.change(user_id, new_room_id, TAG, lambda stored: tags if stored is None else None)

    async def _move_direct(self, user_id: str, old_room_id: str, new_room_id: str) -> None:
        def changed(stored: bytes | None) -> bytes | None:
            content = orjson.loads(stored) if stored else None
            if not isinstance(content, dict):
                return None
            after = {other: _with(rooms, old_room_id, new_room_id) for other, rooms in content.items()}
            return None if after == content else orjson.dumps(after)

        await self._account_data.change(user_id, GLOBAL, DIRECT, changed)

    async def _move_push_rules(self, user_id: str, old_room_id: str, new_room_id: str) -> None:
        rules = await self._push_rules.of(user_id)
        for kind in ("override", "room"):
            rule = next((rule for rule in getattr(rules, kind) if rule.rule_id == old_room_id), None)
            if rule is None or any(other.rule_id == new_room_id for other in getattr(rules, kind)):
                continue
            body: dict[str, Any] = {"actions": rule.actions}
            if rule.conditions is not None:
                body["conditions"] = [_about(c, old_room_id, new_room_id) for c in rule.conditions]
            await self._push_rules.put(user_id, kind, new_room_id, body, before=None, after=None)


def predecessor_of(room: Room) -> str | None:
    """The room that this one says it replaces."""
    predecessor = content_of(room, *CREATE).get("predecessor")
    room_id = predecessor.get("room_id") if isinstance(predecessor, dict) else None
    return room_id if isinstance(room_id, str) else None


def _with(rooms: Any, old_room_id: str, new_room_id: str) -> Any:
    if not isinstance(rooms, list) or old_room_id not in rooms or new_room_id in rooms:
        return rooms
    return [*rooms, new_room_id]


def _about(condition: dict[str, Any], old_room_id: str, new_room_id: str) -> dict[str, Any]:
    """A condition on the old room as one on the new."""
    if condition.get("key") == "room_id" and condition.get("pattern") == old_room_id:
        return {**condition, "pattern": new_room_id}
    return condition
