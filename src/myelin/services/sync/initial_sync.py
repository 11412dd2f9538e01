"""`/initialSync`: all rooms of a user at once, as clients began before there was `/sync` (spec: old_sync.yaml)."""

from typing import Any

import orjson

from myelin.http.requester import Requester
from myelin.matrix.errors import Forbidden
from myelin.matrix.filters import EVERYTHING
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.client_events import ClientEvents
from myelin.services.rooms.initial_sync import RoomInitialSync
from myelin.services.rooms.timeline import render
from myelin.services.rooms.viewpoint import Viewpoints
from myelin.services.sync.event_stream import EventStream
from myelin.services.sync.presences import Presences
from myelin.services.sync.user_rooms import Standing, UserRooms
from myelin.services.userdata.account_data import AccountData
from myelin.services.userdata.user_account_data import GLOBAL
from myelin.telemetry.ambient import Clock


class InitialSync:
    """Puts together what each room's own initial sync says."""

    def __init__(
        self,
        stream: EventStream,
        users: UserRooms,
        rooms: Rooms,
        viewpoints: Viewpoints,
        room_sync: RoomInitialSync,
        client_events: ClientEvents,
        presences: Presences,
        account_data: AccountData,
        clock: Clock,
    ) -> None:
        self._stream = stream
        self._users = users
        self._rooms = rooms
        self._viewpoints = viewpoints
        self._room_sync = room_sync
        self._client_events = client_events
        self._presences = presences
        self._account_data = account_data
        self._clock = clock

    async def of(self, requester: Requester, limit: int, *, archived: bool) -> dict[str, Any]:
        """The answer; with `archived` also of rooms that the user left. `end` is for `/events`."""
        end = self._stream.now()
        view = await self._users.of(requester.user_id)
        data = await self._account_data.of(requester.user_id)
        sections = []
        for room_id, standing in list(view.standings.items()):
            is_left = standing.membership in ("leave", "ban")
            if standing.membership == "invite":
                sections.append(await self._invite(room_id, standing))
            elif standing.membership == "join" or (is_left and archived and room_id not in view.forgotten):
                section = await self._section(requester, room_id, limit)
                if section is not None:
                    sections.append(section)
        return {
            "end": str(end),
            "rooms": sections,
            "presence": await self._presences.of(view, EVERYTHING, None),
            "account_data": [orjson.Fragment(entry.event) for entry in data.in_room(GLOBAL)],
        }

    async def _section(self, requester: Requester, room_id: str, limit: int) -> dict[str, Any] | None:
        try:
            view = await self._viewpoints.of(requester, room_id)
        except Forbidden:
            # An invite that was turned down: the user never was in the room.
            return None
        section = await self._room_sync.of(view, limit)
        return {name: part for name, part in section.items() if name not in ("presence", "receipts")}

    async def _invite(self, room_id: str, standing: Standing) -> dict[str, Any]:
        room = await self._rooms.get(room_id)
        section: dict[str, Any] = {"room_id": room_id, "membership": "invite"}
        for event in (await self._client_events.by_id(room, [standing.event_id])).values():
            section["invite"] = render(event, self._clock.now_ms(), room_id=room_id)
        return section
