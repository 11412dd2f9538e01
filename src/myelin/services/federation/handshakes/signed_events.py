"""Signatures of single events that others hand us."""

from collections.abc import Iterable, Mapping
from typing import Any

from myelin.matrix.errors import Forbidden
from myelin.matrix.events.hashes import redacted_bytes
from myelin.matrix.events.parse import parse_pdu
from myelin.matrix.events.pdu import Pdu
from myelin.matrix.room_versions import RoomVersion
from myelin.services.federation.peers.errors import PeerNonsense
from myelin.services.federation.peers.key_ring import EventSignature, KeyRing


class SignedEvents:
    """Checks who signed an event."""

    def __init__(self, key_ring: KeyRing) -> None:
        self._key_ring = key_ring

    async def are_signed(self, pdu: Pdu, version: RoomVersion, servers: Iterable[str]) -> bool:
        """Whether each of the servers has signed the event with a key that was valid then."""
        redacted = redacted_bytes(pdu.raw, version)
        checks = [EventSignature(s, pdu.raw, redacted, pdu.origin_server_ts, version) for s in servers]
        return all(error is None for error in await self._key_ring.verify_events(checks))

    async def check(self, pdu: Pdu, version: RoomVersion, servers: Iterable[str]) -> None:
        """Raise Forbidden unless they have: for what a server asks of us."""
        if not await self.are_signed(pdu, version, servers):
            raise Forbidden("The event is not signed as it must be")

    async def countersigned(self, pdu: Pdu, version: RoomVersion, server: str, answered: Any) -> Pdu:
        """The event with the signature that the server added to what it answered, of which nothing else is taken.

        Raises PeerNonsense where there is none, or it is wrong.
        """
        signatures = answered.get("signatures") if isinstance(answered, Mapping) else None
        theirs = signatures.get(server) if isinstance(signatures, dict) else None
        if not isinstance(theirs, dict) or not all(isinstance(text, str) for text in theirs.values()):
            raise PeerNonsense("the answer does not hold the event with the server's signature")
        raw = {**pdu.raw, "signatures": {**pdu.raw["signatures"], server: theirs}}
        signed = parse_pdu(raw, version, event_id=pdu.event_id)
        if not await self.are_signed(signed, version, [server]):
            raise PeerNonsense("the event in the answer is not signed as it must be")
        return signed
