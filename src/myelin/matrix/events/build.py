"""New events of our own: hashed, signed and named in one go.

The hot path of sending. An event is encoded twice, once whole for the content hash and once redacted; the second text
serves signature and event ID at once, and the event's full size follows from the first, without a third.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

import msgspec

from myelin.matrix.canonical_json import check_json_depth, encode_checked_json, encode_lenient_json
from myelin.matrix.errors import CanonicalJsonError, EventFormatError, EventTooLarge
from myelin.matrix.events.format import check_room_id_form, check_type_and_state_key, max_depth
from myelin.matrix.events.hashes import event_id_from_bytes, redacted_bytes
from myelin.matrix.events.parse import parse_pdu
from myelin.matrix.events.pdu import Pdu
from myelin.matrix.identifiers import is_event_id, is_user_id
from myelin.matrix.limits import MAX_AUTH_EVENTS, MAX_PDU_BYTES, MAX_PREV_EVENTS
from myelin.matrix.room_versions import EventIdFormat, RoomVersion
from myelin.matrix.signing import SigningKey
from myelin.matrix.sticky_events import STICKY
from myelin.matrix.unpadded_base64 import encode_base64

_HASHES_SIZE: Final = len('"hashes":{"sha256":""},') + 43
_SIGNATURES_SIZE: Final = len('"signatures":{"":{"":""}},') + 86


class EventDraft(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants to send, where it hangs in the graph, and when; identifiers are already valid."""

    room_id: str | None
    """None for the create event from room version 12 on, whose hash becomes the room ID."""
    sender: str
    type: str
    content: dict[str, Any]
    origin_server_ts: int
    """Milliseconds."""
    depth: int
    """One more than the deepest of `prev_events`; cut to what the room version can write."""
    prev_events: list[str] | tuple[str, ...]
    auth_events: list[str] | tuple[str, ...]
    state_key: str | None = None
    redacts: str | None = None
    """The target of a redaction; it is put where the room version wants it."""
    sticky_ms: int | None = None
    """For how many milliseconds the event is sticky; None: it is not."""
    event_id: str | None = None
    """Only in room versions 1 and 2, where the sender chooses it."""
    reference_hashes: Mapping[str, str] = {}
    """Only in room versions 1 and 2: Base64 SHA-256 of `prev_events` and `auth_events` by event ID, as far as known."""


def build_pdu(draft: EventDraft, version: RoomVersion, server_name: str, key: SigningKey) -> Pdu:
    """The signed event; raises EventTooLarge over a size limit, EventFormatError for what no server would take in."""
    check_type_and_state_key(draft.type, draft.state_key, is_state=draft.state_key is not None)
    raw = _unsigned_pdu(draft, version)
    encoded = _encode(raw, version)
    raw["hashes"] = {"sha256": encode_base64(sha256(encoded).digest())}
    if len(encoded) + _HASHES_SIZE + _SIGNATURES_SIZE + len(server_name) + len(key.key_id) > MAX_PDU_BYTES:
        raise EventTooLarge(f"the event is larger than {MAX_PDU_BYTES} bytes")
    signed = redacted_bytes(raw, version)
    raw["signatures"] = {server_name: {key.key_id: key.sign(signed)}}
    return parse_pdu(raw, version, event_id=draft.event_id or event_id_from_bytes(signed, version))


def _encode(raw: dict[str, Any], version: RoomVersion) -> bytes:
    """The text that the content hash covers; what canonical JSON forbids is refused where the version enforces that."""
    try:
        if version.strict_canonical_json:
            return encode_checked_json(raw)
        check_json_depth(raw)
        return encode_lenient_json(raw)
    except CanonicalJsonError as error:
        raise EventFormatError(str(error)) from error


def _unsigned_pdu(draft: EventDraft, version: RoomVersion) -> dict[str, Any]:
    """The event's JSON but for hashes and signatures."""
    if len(draft.prev_events) > MAX_PREV_EVENTS or len(draft.auth_events) > MAX_AUTH_EVENTS:
        raise EventFormatError("the event has too many `prev_events` or `auth_events`")
    raw: dict[str, Any] = {
        "auth_events": list(draft.auth_events),
        "content": draft.content,
        "depth": min(draft.depth, max_depth(version)),
        "origin_server_ts": draft.origin_server_ts,
        "prev_events": list(draft.prev_events),
        "sender": _valid("sender", draft.sender, is_user_id(draft.sender)),
        "type": draft.type,
    }
    if not version.room_id_is_create_hash or draft.type != "m.room.create":
        raw["room_id"] = check_room_id_form(draft.room_id, version)
    if draft.state_key is not None:
        raw["state_key"] = draft.state_key
    if draft.sticky_ms is not None:
        raw[STICKY] = {"duration_ms": draft.sticky_ms}
    if draft.redacts is not None:
        if version.redacts_in_content:
            raw["content"] = {**draft.content, "redacts": draft.redacts}
        else:
            raw["redacts"] = draft.redacts
    if version.event_id_format is EventIdFormat.SENDER_CHOSEN:
        raw["event_id"] = _valid("event_id", draft.event_id, is_event_id(draft.event_id))
        raw["auth_events"] = [_with_hash(event_id, draft) for event_id in draft.auth_events]
        raw["prev_events"] = [_with_hash(event_id, draft) for event_id in draft.prev_events]
    return raw


def _with_hash(event_id: str, draft: EventDraft) -> list[Any]:
    """A reference as versions 1 and 2 write it; nobody checks the hash, so one we do not know may be left out."""
    known = draft.reference_hashes.get(event_id)
    return [event_id, {} if known is None else {"sha256": known}]


def _valid(name: str, value: str | None, valid: bool) -> str:
    """The value, unless it does not follow its grammar, length included."""
    if value is None or not valid:
        raise EventFormatError(f"`{name}` is not valid")
    return value
