"""Content hash, reference hash and event ID of a PDU (spec: server-server API, "Signing Events").

From room version 3 on the event ID is the hash of the very bytes that the signature covers, so one encoding of the
redacted form serves both: `redacted_bytes` gives it to whoever needs more than one of them.
"""

from collections.abc import Mapping
from hashlib import sha256
from hmac import compare_digest
from typing import Any

from myelin.matrix.canonical_json import encode_canonical_json, encode_lenient_json
from myelin.matrix.errors import EventFormatError, SignatureError
from myelin.matrix.events.redaction import redact
from myelin.matrix.room_versions import EventIdFormat, RoomVersion
from myelin.matrix.unpadded_base64 import decode_base64, encode_base64, encode_base64_url


def encode_event(event: Mapping[str, Any], version: RoomVersion) -> bytes:
    """The JSON of an event, or part of one, as this room version writes it for hashing."""
    return encode_canonical_json(event) if version.strict_canonical_json else encode_lenient_json(event)


def redacted_bytes(raw: Mapping[str, Any], version: RoomVersion) -> bytes:
    """The redacted event without signatures: what servers sign and what the reference hash covers."""
    redacted = redact(raw, version)
    redacted.pop("signatures", None)
    return encode_event(redacted, version)


def content_hash(raw: Mapping[str, Any], version: RoomVersion) -> str:
    """SHA-256 over the complete event without `unsigned`, `signatures` and `hashes`, in unpadded Base64."""
    hashed = {key: value for key, value in raw.items() if key not in ("unsigned", "signatures", "hashes")}
    return encode_base64(sha256(encode_event(hashed, version)).digest())


def check_content_hash(raw: Mapping[str, Any], version: RoomVersion) -> None:
    """Raise SignatureError unless the event is complete and unaltered; one that is not must be taken in redacted."""
    hashes = raw.get("hashes")
    expected = hashes.get("sha256") if isinstance(hashes, dict) else None
    if not isinstance(expected, str):
        raise SignatureError("the event has no SHA-256 content hash")
    actual = content_hash(raw, version)
    if expected == actual:
        return
    try:
        same = compare_digest(decode_base64(expected), decode_base64(actual))
    except ValueError as error:
        raise SignatureError("the content hash is not Base64") from error
    if not same:
        raise SignatureError("the content hash does not match the event")


def reference_hash(raw: Mapping[str, Any], version: RoomVersion) -> bytes:
    """SHA-256 over the redacted event, 32 bytes."""
    return sha256(redacted_bytes(raw, version)).digest()


def event_id_of(raw: Mapping[str, Any], version: RoomVersion) -> str:
    """The event's ID: computed from version 3 on, before that read from the event (EventFormatError if it has none)."""
    if version.event_id_format is EventIdFormat.SENDER_CHOSEN:
        event_id = raw.get("event_id")
        if not isinstance(event_id, str):
            raise EventFormatError("`event_id` is not a string")
        return event_id
    return event_id_from_bytes(redacted_bytes(raw, version), version)


def event_id_from_bytes(redacted: bytes, version: RoomVersion) -> str:
    """The event ID from the event's `redacted_bytes`, for room versions from 3 on."""
    digest = sha256(redacted).digest()
    if version.event_id_format is EventIdFormat.URL_SAFE_HASH:
        return "$" + encode_base64_url(digest)
    return "$" + encode_base64(digest)
