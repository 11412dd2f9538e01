"""The checks of a PDU that need nothing but itself and keys (spec: server-server API, "Checks performed on receipt")."""

from collections.abc import Sequence
from typing import Any

from myelin.matrix.events.pdu import Pdu
from myelin.matrix.room_versions import RoomVersion
from myelin.services.federation.peers.key_ring import KeyRing


class PduChecks:
    """Turns JSON from outside into events that can be trusted to be their senders'."""

    def __init__(self, key_ring: KeyRing) -> None:
        self._key_ring = key_ring

    async def checked(self, raws: Sequence[Any], version: RoomVersion, room_id: str) -> list[Pdu]:
        """Those of the events that are well-formed, of the room and rightly signed, in their order, each once.

        An event whose content hash is wrong is there in its redacted form.
        """
        raise NotImplementedError
