"""Our users reject invites into rooms that are not here, and take knocks back."""

import asyncio
from collections.abc import Mapping
from typing import Any

import structlog

from myelin.matrix.errors import MatrixError, NotFound
from myelin.matrix.events.pdu import Pdu
from myelin.services.federation.handshakes.asking_in_turn import AskingInTurn
from myelin.services.federation.handshakes.completing import Completing, Sending
from myelin.services.federation.handshakes.outside import OutsideMemberships
from myelin.services.federation.handshakes.own_events import OwnEvents
from myelin.services.federation.handshakes.resident_servers import ResidentServers
from myelin.services.federation.handshakes.templates import Template, Wanted
from myelin.services.federation.peers.errors import PeerNonsense
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.members import member_event
from myelin.services.rooms.room import Room

SENDING = Sending(versions=("v2", "v1"), timeout_s=10.0)
PATIENCE_S = 20.0
"""So long the user waits for the room's servers to hear of it; then they have left as far as they can tell."""
MAX_SERVERS = 3

_log = structlog.get_logger("myelin.federation")


class Leaving:
    """Leaves through another server, and without one where none is to be had."""

    def __init__(
        self,
        rooms: Rooms,
        servers: ResidentServers,
        in_turn: AskingInTurn,
        completing: Completing,
        own_events: OwnEvents,
        outside: OutsideMemberships,
    ) -> None:
        self._rooms = rooms
        self._servers = servers
        self._in_turn = in_turn
        self._completing = completing
        self._own_events = own_events
        self._outside = outside

    async def leave(self, user_id: str, room_id: str, content: Mapping[str, Any]) -> None:
        """End an invite or a knock. Raises NotFound where there is none."""
        room = await self._rooms.find(room_id)
        member = None if room is None else await member_event(self._rooms, room, user_id)
        if room is None or member is None or member.content.get("membership") not in ("invite", "knock"):
            raise NotFound("You are neither invited to this room nor knocking on it")
        wanted = Wanted(room_id, user_id, "leave")
        try:
            async with asyncio.timeout(PATIENCE_S):
                pdu = await self._tell(room, wanted, content)
        except (MatrixError, TimeoutError) as error:
            _log.info("the room's servers did not hear of a leave", room_id=room_id, error=str(error))
            pdu = self._alone(room, member, wanted, content)
        await self._outside.put(room.version, pdu)

    async def _tell(self, room: Room, wanted: Wanted, content: Mapping[str, Any]) -> Pdu:
        servers = await self._servers.of(room.room_id, wanted.user_id)

        async def ask(server: str) -> Pdu:
            template, pdu = await self._completing.make(server, wanted, content)
            if template.version is not room.version:
                raise PeerNonsense("the room has another version than it was said to have")
            await self._completing.send(server, pdu, SENDING)
            return pdu

        return await self._in_turn.ask(servers[:MAX_SERVERS], ask)

    def _alone(self, room: Room, member: Pdu, wanted: Wanted, content: Mapping[str, Any]) -> Pdu:
        """A leave that nobody else will see: the user is rid of the room, whatever became of its servers."""
        beside = (member.event_id,)
        return self._own_events.make(wanted, content, Template(room.version, beside, beside, member.depth + 1))
