"""What receiving needs of the parts above it."""

from typing import Any, Protocol

from myelin.matrix.events.pdu import Pdu
from myelin.services.rooms.room import Room


class EduReceiver(Protocol):
    """Takes in what is no event of a room: typing, receipts, presence, messages and changes of devices."""

    async def receive(self, origin: str, edu_type: str, content: dict[str, Any]) -> None:
        """Take one in from the server `origin`, whatever it holds; what makes no sense is dropped. Raises nothing."""
        ...


class EduReceivers(list[EduReceiver]):
    """The part that knows EDUs adds itself; each is given every one."""


class PolicyCheck(Protocol):
    """Knows the policy servers of rooms."""

    async def recommended(self, room: Room, pdu: Pdu) -> Pdu | None:
        """The event with a valid signature of the room's policy server, if it needs one; None: soft-fail it."""
        ...


class PolicyChecks(list[PolicyCheck]):
    """The part that speaks to policy servers adds itself; check 7 on receipt asks it."""

    async def recommended(self, room: Room, pdu: Pdu) -> Pdu | None:
        """As `PolicyCheck.recommended`."""
        for check in self:
            found = await check.recommended(room, pdu)
            if found is None:
                return None
            pdu = found
        return pdu


class OutsideEvent(Protocol):
    """Knows what may become of users of ours in rooms that this server is not in."""

    async def take(self, room: Room, pdu: Pdu) -> bool:
        """Whether the event, rightly signed, was one of those, and taken in."""
        ...


class OutsideEvents(list[OutsideEvent]):
    """The part that knows invites and knocks adds itself."""

    async def take(self, room: Room, pdu: Pdu) -> bool:
        """As `OutsideEvent.take`."""
        for one in self:
            if await one.take(room, pdu):
                return True
        return False
