"""Events that other servers send us, on their way into rooms."""

from collections.abc import Mapping, Sequence
from typing import Any

from myelin.matrix.errors import MyelinError
from myelin.matrix.events.pdu import Pdu


class Receiver:
    """Takes in events: those of one room one after the other, those of different rooms side by side."""

    async def receive_pdu(self, origin: str, raw: Any) -> None:
        """Take in an event as it came from `origin`. Raises MatrixError where it is refused; a soft failure is none."""
        raise NotImplementedError

    async def receive_pdus(self, origin: str, raws: Sequence[Any]) -> Mapping[str, MyelinError | None]:
        """Take in the events of a transaction; for each by its ID None or why it was refused."""
        raise NotImplementedError

    async def accept(self, origin: str, pdu: Pdu) -> None:
        """Take in an event of a handshake, whose signatures were checked; it must be allowed in the room as it is now.

        Raises Forbidden where it is rejected or soft-failed, NotFound where the room is not here.
        """
        raise NotImplementedError
