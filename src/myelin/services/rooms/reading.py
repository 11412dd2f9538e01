"""What other parts of the server ask about rooms: who is in them, and where events stand."""

from collections.abc import Mapping, Set
from typing import Any

import orjson

from myelin.db.connection import Database
from myelin.services.receipts.ports import EventPlace
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.tokens import parse_token
from myelin.store.events import IN_TIMELINE, EventStore
from myelin.store.state import StateStore

MAIN = "main"
MAX_HOPS = 3
"""Relations that are followed from an event to find its thread (spec: "Threaded read receipts")."""


class RoomReading:
    """Answers from the rooms in memory, or from the database."""

    def __init__(self, rooms: Rooms, database: Database) -> None:
        self._rooms = rooms
        self._events = EventStore(database)
        self._state = StateStore(database)

    async def is_joined(self, room_id: str, user_id: str) -> bool:
        """Whether the user is in the room now."""
        room = self._rooms.peek(room_id) or await self._rooms.find(room_id)
        return room is not None and user_id in room.joined

    async def event_place(self, room_id: str, event_id: str) -> EventPlace | None:
        """Where an event of this room stands, or None where it is none of the room's timeline."""
        room = self._rooms.peek(room_id)
        held = room.timeline.get(event_id) if room is not None else None
        if held is not None:
            return EventPlace(held.position, await self._thread_of(held.pdu.content))
        found = await self._events.events([event_id])
        if not found or found[0].room_id != room_id or found[0].flags != IN_TIMELINE:
            return None
        return EventPlace(found[0].position, await self._thread_of(orjson.loads(found[0].json)["content"]))

    def position_of(self, token: str) -> int:
        """The position of the log that a token of `/sync` stands for. Raises InvalidParam."""
        return parse_token(token).position

    async def share_room(self, user_id: str, other: str) -> bool:
        """Whether both users are in one room now."""
        return other in await self._state.users_sharing_rooms_with(user_id)

    async def users_sharing_rooms(self, user_id: str) -> Set[str]:
        """All users who are joined to a room that the user is joined to, without the user."""
        return set(await self._state.users_sharing_rooms_with(user_id)) - {user_id}

    async def users_no_longer_sharing(self, user_id: str, since: int, to: int) -> Set[str]:
        """Users who shared a room at one position of the log and share none any more at another."""
        before = await self._joined(user_id, since)
        gone: set[str] = set()
        for room_id in before - await self._joined(user_id, to):
            members = await self._state.members_at(room_id, since)
            gone.update(m.user_id for m in members if m.membership == "join")
        gone.update(await self._state.joins_ended(sorted(before), since, to))
        return gone - await self.users_sharing_rooms(user_id) - {user_id} if gone else gone

    async def users_newly_sharing(self, user_id: str, since: int, to: int) -> Set[str]:
        """Users who came into a room of the user's between two positions of the log, or into whose room the user came.

        Who shared a room all the time is left out unless they were met in another. Who was away for a while is not:
        what changed meanwhile was not told.
        """
        history = await self._state.memberships_between(user_id, since, to)
        joins = [m for m in history if m.membership == "join"]
        before = {m.room_id for m in joins if m.from_pos <= since < m.to_pos}
        away = {m.room_id for m in history if m.membership != "join" and m.from_pos > since}
        after = {m.room_id for m in joins if m.to_pos > to}
        stayed = sorted((before & after) - away)
        met = set(await self._state.joins_begun(stayed, since, to))
        for room_id in after.difference(stayed):
            met.update(m.user_id for m in await self._state.members_at(room_id, to) if m.membership == "join")
        return met - {user_id}

    async def _joined(self, user_id: str, position: int) -> set[str]:
        return {m.room_id for m in await self._state.memberships_at(user_id, position) if m.membership == "join"}

    async def _thread_of(self, content: Mapping[str, Any]) -> str:
        for _ in range(MAX_HOPS):
            relation = content.get("m.relates_to")
            target = relation.get("event_id") if isinstance(relation, dict) else None
            if not isinstance(relation, dict) or not isinstance(target, str):
                return MAIN
            if relation.get("rel_type") == "m.thread":
                return target
            found = await self._events.events([target]) if "rel_type" in relation else []
            if not found:
                return MAIN
            content = orjson.loads(found[0].json)["content"]
        return MAIN
