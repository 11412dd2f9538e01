"""Our users knock on rooms that are not here."""

from collections.abc import Mapping, Sequence
from typing import Any

from myelin.matrix.events.parse import parse_pdu
from myelin.services.federation.handshakes.asking_in_turn import AskingInTurn
from myelin.services.federation.handshakes.completing import Completing, Sending
from myelin.services.federation.handshakes.introduction import Introduction
from myelin.services.federation.handshakes.outside import OutsideMemberships
from myelin.services.federation.handshakes.resident_servers import ResidentServers
from myelin.services.federation.handshakes.templates import Wanted
from myelin.services.federation.peers.errors import PeerNonsense
from myelin.services.rooms.stripped_state import with_stripped_state

SENDING = Sending(versions=("v1",))


class Knocking:
    """Knocks through another server."""

    def __init__(
        self,
        servers: ResidentServers,
        in_turn: AskingInTurn,
        completing: Completing,
        introduction: Introduction,
        outside: OutsideMemberships,
    ) -> None:
        self._servers = servers
        self._in_turn = in_turn
        self._completing = completing
        self._introduction = introduction
        self._outside = outside

    async def knock(self, user_id: str, room_id: str, via: Sequence[str], content: Mapping[str, Any]) -> None:
        """Knock; the user sees what the server tells of the room. Raises a MatrixError for the client."""
        servers = await self._servers.of(room_id, user_id, via)
        await self._in_turn.ask(servers, lambda server: self._knock(server, user_id, room_id, content))

    async def _knock(self, server: str, user_id: str, room_id: str, content: Mapping[str, Any]) -> None:
        template, pdu = await self._completing.make(server, Wanted(room_id, user_id, "knock"), content)
        version = template.version
        if not version.knock:
            raise PeerNonsense("the room's version has no knocking")
        answer = await self._completing.send(server, pdu, SENDING)
        told = await self._introduction.read(answer.get("knock_room_state"), version, room_id, user_id)
        raw = with_stripped_state(pdu.raw, "knock", told, via=server)
        await self._outside.put(version, parse_pdu(raw, version, event_id=pdu.event_id))
