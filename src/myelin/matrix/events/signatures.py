"""Signatures on PDUs (spec: server-server API, "Signing Events"): they cover the redacted form and the content hash."""

from collections.abc import Mapping
from typing import Any

from myelin.matrix.events.hashes import content_hash, redacted_bytes
from myelin.matrix.room_versions import RoomVersion
from myelin.matrix.signing import SigningKey, VerifyKey, signature_of, with_signature


def sign_event(raw: Mapping[str, Any], version: RoomVersion, server_name: str, key: SigningKey) -> dict[str, Any]:
    """A copy of an event of ours with content hash and signature; any hashes that it had are replaced."""
    return countersign_event({**raw, "hashes": {"sha256": content_hash(raw, version)}}, version, server_name, key)


def countersign_event(
    raw: Mapping[str, Any], version: RoomVersion, server_name: str, key: SigningKey
) -> dict[str, Any]:
    """A copy of an event, hashes untouched, with our signature beside those of others, as for a remote invite."""
    message = redacted_bytes(raw, version)
    return {**raw, "signatures": with_signature(raw.get("signatures"), server_name, key, message)}


def verify_event(raw: Mapping[str, Any], version: RoomVersion, server_name: str, key: VerifyKey) -> None:
    """Raise SignatureError unless the server has signed the event with this key."""
    verify_redacted_bytes(redacted_bytes(raw, version), raw, server_name, key)


def verify_redacted_bytes(redacted: bytes, raw: Mapping[str, Any], server_name: str, key: VerifyKey) -> None:
    """Like `verify_event`, for a caller that has the event's `redacted_bytes` already, to compute its ID."""
    key.verify(redacted, signature_of(raw, server_name, key.key_id))
