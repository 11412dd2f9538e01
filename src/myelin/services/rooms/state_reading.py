"""A room's state as one user may read it: current, or as of when they left."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from myelin.db.connection import Database
from myelin.matrix.errors import Forbidden, NotFound
from myelin.matrix.events.pdu import StateKey
from myelin.matrix.filters import EVERYTHING, EventFilter
from myelin.services.rooms.client_events import ClientEvents
from myelin.services.rooms.presentation import Presentation
from myelin.services.rooms.room import MEMBER, Room
from myelin.services.rooms.selection import matches
from myelin.services.rooms.timeline import TimelineEvent
from myelin.services.rooms.viewpoint import Viewpoint
from myelin.store.state import StateStore

AT_ONCE = 200
"""State events read and rendered before others have their turn: rooms may have very many."""


class StateReading:
    """Reads state and members."""

    def __init__(self, database: Database, client_events: ClientEvents, presentation: Presentation) -> None:
        self._state = StateStore(database)
        self._client_events = client_events
        self._presentation = presentation

    async def whole(self, view: Viewpoint) -> list[bytes]:
        """All state events."""
        state = await self._at(view.room, view.position)
        return await self.render(view, state.values())

    async def entry(self, view: Viewpoint, event_type: str, state_key: str) -> TimelineEvent:
        """One piece of state. Raises NotFound."""
        room = view.room
        if view.position == room.position:
            event_id = room.state.get((event_type, state_key))
        else:
            event_id = await self._state.entry_at(room.room_id, event_type, state_key, view.position)
        if event_id is not None:
            found = await self._client_events.state(room, [event_id])
            if event_id in found:
                return found[event_id]
        raise NotFound("The room has no such state")

    def json(self, view: Viewpoint, event: TimelineEvent) -> bytes:
        """A state event as JSON."""
        return self._presentation.state(view, [event])[0]

    async def members(
        self, view: Viewpoint, at: int | None, membership: str | None, not_membership: str | None
    ) -> list[bytes]:
        """Membership events, now or at a position, of a kind or not of a kind, or either of both."""
        position = view.position if at is None else _no_earlier_than_seen(view, at)
        rows = await self._state.members_at(view.room.room_id, position)
        wanted = [
            row.event_id
            for row in rows
            if (membership is None and not_membership is None)
            or row.membership == membership
            or (not_membership is not None and row.membership != not_membership)
        ]
        return await self.render(view, wanted)

    async def joined_members(self, view: Viewpoint) -> dict[str, dict[str, str]]:
        """Names and avatars of everybody who is in the room, for its members. Raises Forbidden."""
        if view.user_id not in view.room.joined:
            raise Forbidden("You are not in this room")
        rows = await self._state.joined_members(view.room.room_id)
        return {user_id: _shown(orjson.loads(data)["content"]) for user_id, data in rows}

    async def around(
        self, view: Viewpoint, position: int, events: Sequence[TimelineEvent], wanted: EventFilter
    ) -> list[bytes]:
        """The state at a position that goes with some events; with lazily loaded members only those of senders."""
        state = await self._at(view.room, position)
        if wanted.lazy_load_members:
            senders = {event.pdu.sender for event in events}
            state = {key: e for key, e in state.items() if key[0] != MEMBER or key[1] in senders}
        return await self.render(view, state.values(), wanted)

    async def senders(self, view: Viewpoint, events: Sequence[TimelineEvent]) -> list[bytes]:
        """The membership events of those who sent some events, as of the newest of them."""
        if not events:
            return []
        room = view.room
        senders = {event.pdu.sender for event in events}
        position = max(event.position for event in events)
        if position == room.position:
            found = [room.state[MEMBER, user] for user in senders if (MEMBER, user) in room.state]
        else:
            found = await self._state.member_events_at(room.room_id, list(senders), position)
        return await self.render(view, found)

    async def render(self, view: Viewpoint, event_ids: Iterable[str], wanted: EventFilter = EVERYTHING) -> list[bytes]:
        """State events by ID as JSON, as far as a filter wants them."""
        rendered: list[bytes] = []
        todo = list(event_ids)
        for first in range(0, len(todo), AT_ONCE):
            if first:
                await asyncio.sleep(0)
            events = (await self._client_events.state(view.room, todo[first : first + AT_ONCE])).values()
            chosen = [event for event in events if wanted.passes_all or matches(wanted, event.pdu)]
            rendered += self._presentation.state(view, chosen)
        return rendered

    async def _at(self, room: Room, position: int) -> dict[StateKey, str]:
        if position >= room.position:
            return room.state
        rows = await self._state.at(room.room_id, position)
        return {(row.type, row.state_key): row.event_id for row in rows}


def _no_earlier_than_seen(view: Viewpoint, at: int) -> int:
    """The position asked for, moved to where the reader came in if they may not see the room before that."""
    at = min(at, view.position)
    if view.sight.may_see_at(at + 1) or at >= view.sight.joined_since:
        return at
    return min(view.sight.joined_since, view.position)


def _shown(content: dict[str, Any]) -> dict[str, str]:
    """How a member wants to be shown; what is no string, or no address of an image, is left out."""
    name, avatar = content.get("displayname"), content.get("avatar_url")
    shown = {"display_name": name} if isinstance(name, str) else {}
    if isinstance(avatar, str) and avatar.startswith("mxc://"):
        shown["avatar_url"] = avatar
    return shown
