"""Rooms that the reader is not in: invited, knocking, left or banned."""

from typing import Any

import msgspec

from myelin.matrix.events.client_format import stripped_state_event
from myelin.matrix.events.pdu import Pdu
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.client_events import ClientEvents
from myelin.services.rooms.room import MEMBER, Room
from myelin.services.rooms.timeline import BEGINNING
from myelin.services.sync.joined import JoinedRooms, Reader
from myelin.services.sync.timelines import Stretch, Timelines
from myelin.services.sync.user_rooms import Standing
from myelin.store.state import Membership, StateStore

STRIPPED_TYPES = (
    "m.room.create",
    "m.room.name",
    "m.room.avatar",
    "m.room.topic",
    "m.room.join_rules",
    "m.room.canonical_alias",
    "m.room.encryption",
)
"""What somebody is told of a room before they join (spec: "Stripped state")."""


class AbsentRooms:
    """Builds the sections of rooms that the reader is not joined to."""

    def __init__(
        self,
        rooms: Rooms,
        state: StateStore,
        timelines: Timelines,
        joined: JoinedRooms,
        client_events: ClientEvents,
    ) -> None:
        self._rooms = rooms
        self._state = state
        self._timelines = timelines
        self._joined = joined
        self._client_events = client_events

    async def stripped(self, room: Room, user_id: str, standing: Standing) -> dict[str, Any]:
        """`{"events": …}` of an invite or knock: enough to show the room, and the membership itself."""
        events = [pdu for kind in STRIPPED_TYPES if (pdu := room.current(kind)) is not None]
        member = await self._event(room, standing.event_id)
        if member is not None:
            inviter = await self._member(room, member.sender) if member.sender != user_id else None
            events += [pdu for pdu in (inviter, member) if pdu is not None]
        return {"events": [stripped_state_event(pdu) for pdu in events]}

    async def left(self, room: Room, reader: Reader, standing: Standing, *, since: int | None) -> dict[str, Any] | None:
        """The section of a room that the reader left or was banned from; None for one they never could see."""
        until = min(standing.position, reader.until)
        before = await self._before(room.room_id, reader.user_id, standing.position)
        joins = [m for m in before if m.membership == "join" and (since is None or m.to_pos > since)]
        if since is None and not before:
            return None
        if since is not None and all(m.from_pos > since for m in joins):
            # Entered and left since the token: the client knows nothing of the room yet.
            since = None
        reader = msgspec.structs.replace(reader, until=until)
        if joins:
            after = BEGINNING if since is None else since
            stretch = await self._timelines.read(
                room, reader.user_id, after, until, reader.limit, reader.wanted.room.timeline
            )
        else:
            events = list((await self._client_events.by_id(room, [standing.event_id])).values())
            stretch = Stretch(events, limited=False, start=standing.position - 1)
        state = await self._joined.state(room, reader, stretch, since) if joins else []
        return {
            "timeline": await self._joined.timeline(room, reader, stretch),
            reader.state_name: {"events": state},
            "account_data": {"events": []},
        }

    async def _before(self, room_id: str, user_id: str, left_at: int) -> list[Membership]:
        """The reader's memberships of a room before leaving it."""
        return [m for m in await self._state.memberships_in(user_id, room_id) if m.from_pos < left_at]

    async def _member(self, room: Room, user_id: str) -> Pdu | None:
        await self._rooms.hold_state(room, [(MEMBER, user_id)])
        return room.current(MEMBER, user_id)

    async def _event(self, room: Room, event_id: str) -> Pdu | None:
        held = room.pdus.get(event_id)
        return held or (await self._rooms.load([event_id], room.version)).get(event_id)
