"""The keys of other servers, and what they signed (spec: server-server API, "Retrieving server keys")."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from myelin.matrix.errors import MyelinError
from myelin.matrix.room_versions import RoomVersion


class EventSignature(NamedTuple):
    """A signature to be checked: that `server_name` signed the event `raw`, whose redacted bytes are known."""

    server_name: str
    raw: Mapping[str, Any]
    redacted: bytes
    """`redacted_bytes(raw, version)`."""
    origin_server_ts: int
    version: RoomVersion


class KeyRing:
    """Checks signatures, with keys from the database, from the servers themselves, or from notaries."""

    async def verify_json(self, server_name: str, signed: Mapping[str, Any], *, valid_at_ms: int | None = None) -> None:
        """Raise SignatureRejected unless the server signed the object with a key valid then (None: now)."""
        raise NotImplementedError

    async def verify_events(self, checks: Sequence[EventSignature]) -> list[MyelinError | None]:
        """For each check None, or the SignatureRejected that it fails with; keys are fetched together."""
        raise NotImplementedError
