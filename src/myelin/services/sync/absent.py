"""Rooms that the reader is not in: invited, knocking, left or banned."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from myelin.matrix.events.client_format import stripped_state_event
from myelin.matrix.events.pdu import Pdu
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.client_events import ClientEvents
from myelin.services.rooms.room import MEMBER, Room
from myelin.services.rooms.selection import matches
from myelin.services.rooms.stripped_state import STRIPPED_TYPES, told_with
from myelin.services.rooms.timeline import BEGINNING
from myelin.services.rooms.tokens import page_token
from myelin.services.sync.joined import account_data
from myelin.services.sync.reader import Reader
from myelin.services.sync.rendering import Rendering
from myelin.services.sync.states import States
from myelin.services.sync.timelines import Stretch, Timelines, Window
from myelin.services.sync.user_rooms import Standing
from myelin.services.userdata.unwanted_invites import UnwantedInvites
from myelin.services.userdata.user_account_data import UserAccountData
from myelin.store.state import OPEN, Membership, StateStore

History = Mapping[str, list[Membership]]
"""By room all that the reader's membership ever was, oldest first."""


class AbsentRooms:
    """Builds the sections of rooms that the reader is not joined to."""

    def __init__(
        self,
        rooms: Rooms,
        state: StateStore,
        timelines: Timelines,
        states: States,
        rendering: Rendering,
        client_events: ClientEvents,
        unwanted: UnwantedInvites,
    ) -> None:
        self._rooms = rooms
        self._state = state
        self._timelines = timelines
        self._states = states
        self._rendering = rendering
        self._client_events = client_events
        self._unwanted = unwanted

    async def history(self, user_id: str, room_ids: Iterable[str]) -> History:
        """The reader's memberships of rooms that they left."""
        found: dict[str, list[Membership]] = {room_id: [] for room_id in room_ids}
        if found:
            for membership in await self._state.all_memberships_in(user_id, list(found)):
                found[membership.room_id].append(membership)
        return found

    async def stripped(self, room: Room, user_id: str, standing: Standing) -> dict[str, Any]:
        """`{"events": …}` of an invite or knock: enough to show the room, and at its end the membership itself."""
        member = await self._event(room, standing.event_id)
        told = told_with(member) if member is not None else None
        if member is not None and told is not None:
            # The room is not here: this is what the other server told of it.
            return {"events": [*told, stripped_state_event(member)]}
        events = [pdu for kind in STRIPPED_TYPES if (pdu := room.current(kind)) is not None]
        if member is not None:
            inviter = await self._member(room, member.sender) if member.sender != user_id else None
            events += [pdu for pdu in (inviter, member) if pdu is not None]
        return {"events": [stripped_state_event(pdu) for pdu in events]}

    async def pending(self, room: Room, reader: Reader, standing: Standing) -> dict[str, Any] | None:
        """The section of an invite or knock; None for an invite that the reader is not to hear of."""
        stripped = await self.stripped(room, reader.user_id, standing)
        if await self.is_unwanted(reader.user_id, standing, stripped):
            return None
        return {f"{standing.membership}_state": stripped}

    async def is_unwanted(self, user_id: str, standing: Standing, stripped: dict[str, Any]) -> bool:
        """Whether it is an invite from somebody of whom the user wants none."""
        events = stripped["events"]
        if standing.membership != "invite" or not events:
            return False
        return await self._unwanted.hides(user_id, events[-1]["sender"])

    async def left(
        self, room: Room, reader: Reader, data: UserAccountData, standing: Standing, history: list[Membership]
    ) -> dict[str, Any] | None:
        """The section of a room that the reader left or was banned from: nothing of what happened afterwards.

        None where a first sync would tell of a room that they never had to do with before.
        """
        before = [m for m in history if m.from_pos < standing.position]
        since = reader.since
        if since is None and not before:
            return None
        everything = since is None or reader.full_state
        joins = [m for m in before if m.membership == "join" and (everything or m.to_pos > (since or 0))]
        if not joins:
            return self._section(room, reader, data, await self._departure(room, reader, standing), [], since)
        if since is not None and joins[0].from_pos > since:
            # Entered and left since the token: the client knows nothing of the room yet.
            since = None
        reader = msgspec.structs.replace(reader, until=min(standing.position, reader.until))
        after = BEGINNING if since is None else since
        window = Window(after, reader.until, reader.limit, reader.wanted.room.timeline, reader.ignored)
        stretch = await self._timelines.read(room, reader.user_id, window)
        state = await self._states.events(room, reader, stretch, since, heroes=[])
        return self._section(room, reader, data, await self._timeline(room, reader, stretch), state, since)

    async def forgotten(self, room: Room, reader: Reader, data: UserAccountData, standing: Standing) -> dict[str, Any]:
        """The section of a room that the reader left and forgot: no more than that they left."""
        return self._section(room, reader, data, await self._departure(room, reader, standing), [], reader.since)

    def _section(
        self, room: Room, reader: Reader, data: UserAccountData, timeline: Any, state: list[Any], since: int | None
    ) -> dict[str, Any]:
        return {
            "timeline": timeline,
            reader.state_name: {"events": state},
            "account_data": {"events": account_data(data, room.room_id, reader, since)},
        }

    async def _departure(self, room: Room, reader: Reader, standing: Standing) -> dict[str, Any]:
        """A timeline with nothing but the event that ended an invite, a knock or less."""
        found = await self._client_events.by_id(room, [standing.event_id])
        events = [event for event in found.values() if matches(reader.wanted.room.timeline, event.pdu)]
        return await self._timeline(room, reader, Stretch(events, limited=False, start=standing.position - 1))

    async def _timeline(self, room: Room, reader: Reader, stretch: Stretch) -> dict[str, Any]:
        return {
            "events": await self._rendering.timeline(room, reader, stretch.events, OPEN),
            "limited": stretch.limited,
            "prev_batch": page_token(stretch.start),
        }

    async def _member(self, room: Room, user_id: str) -> Pdu | None:
        await self._rooms.hold_state(room, [(MEMBER, user_id)])
        return room.current(MEMBER, user_id)

    async def _event(self, room: Room, event_id: str) -> Pdu | None:
        held = room.pdus.get(event_id)
        return held or (await self._rooms.load([event_id], room.version)).get(event_id)
