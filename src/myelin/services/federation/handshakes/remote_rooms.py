"""The way of our users into rooms of which this server cannot write the events alone."""

from collections.abc import Mapping, Sequence
from typing import Any

from myelin.services.federation.handshakes.inviting import Inviting
from myelin.services.federation.handshakes.joining import Joining
from myelin.services.federation.handshakes.knocking import Knocking
from myelin.services.federation.handshakes.leaving import Leaving


class FederatedRooms:
    """What the room engine's port `RemoteRooms` asks for."""

    def __init__(self, joining: Joining, knocking: Knocking, leaving: Leaving, inviting: Inviting) -> None:
        self._joining = joining
        self._knocking = knocking
        self._leaving = leaving
        self._inviting = inviting

    async def join(self, user_id: str, room_id: str, via: Sequence[str], content: Mapping[str, Any]) -> None:
        """Join through one of the servers. Raises Forbidden or NotFound."""
        await self._joining.join(user_id, room_id, via, content)

    async def knock(self, user_id: str, room_id: str, via: Sequence[str], content: Mapping[str, Any]) -> None:
        """Knock through one of the servers. Raises Forbidden or NotFound."""
        await self._knocking.knock(user_id, room_id, via, content)

    async def leave(self, user_id: str, room_id: str, content: Mapping[str, Any]) -> None:
        """Reject an invite, or retract a knock. Raises NotFound where there is none."""
        await self._leaving.leave(user_id, room_id, content)

    async def invite(self, sender: str, user_id: str, room_id: str, content: Mapping[str, Any]) -> None:
        """Invite a user of another server, whose server signs too. Raises Forbidden."""
        await self._inviting.invite(sender, user_id, room_id, content)
