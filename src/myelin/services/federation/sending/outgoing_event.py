"""An event on its way: its JSON is made once, for all servers that it goes to."""

from typing import Any

from myelin.matrix.events.pdu import Pdu
from myelin.services.federation.peers.signed_requests import encoded_content


class OutgoingEvent:
    """An event with its place in the log."""

    __slots__ = ("_json", "_pdu", "event_id", "position", "room_id")

    def __init__(
        self, position: int, room_id: str, event_id: str, *, pdu: Pdu | None = None, json: bytes | None = None
    ) -> None:
        self.position = position
        self.room_id = room_id
        self.event_id = event_id
        self._pdu = pdu
        self._json = json

    @property
    def json(self) -> bytes:
        """The PDU as canonical JSON."""
        if self._json is None:
            assert self._pdu is not None
            self._json = federation_json(self._pdu.raw)
            self._pdu = None
        return self._json


def federation_json(raw: dict[str, Any]) -> bytes:
    """A PDU as other servers are given it: `unsigned` is nobody's business but ours."""
    shown = {name: value for name, value in raw.items() if name != "unsigned"} if "unsigned" in raw else raw
    return encoded_content(shown)
