"""The shape of a PDU from outside (spec: rooms/, "Event format"; client-server API, "Size limits").

The first of the checks on receipt: an event that fails is dropped, because nothing after it looks at types again. One
such event let through has cut whole rooms off before, so that everything is checked that a store, a rule or a peer
could stumble over.
"""

from typing import Any, Final

from myelin.matrix.canonical_json import check_json_depth, encode_checked_json, encode_lenient_json
from myelin.matrix.errors import CanonicalJsonError, EventFormatError, EventTooLarge
from myelin.matrix.identifiers import is_event_id, is_room_id, is_user_id
from myelin.matrix.limits import (
    MAX_AUTH_EVENTS,
    MAX_DEPTH_BEFORE_V6,
    MAX_EVENT_TYPE_BYTES,
    MAX_JSON_INT,
    MAX_PDU_BYTES,
    MAX_PREV_EVENTS,
    MAX_STATE_KEY_BYTES,
    utf8_length,
)
from myelin.matrix.room_versions import EventIdFormat, RoomVersion

_REQUIRED: Final = (
    ("type", str),
    ("sender", str),
    ("content", dict),
    ("depth", int),
    ("origin_server_ts", int),
    ("auth_events", list),
    ("prev_events", list),
    ("hashes", dict),
    ("signatures", dict),
)
_JSON_NAMES: Final = {str: "a string", dict: "an object", int: "an integer", list: "an array"}


def max_depth(version: RoomVersion) -> int:
    """The largest `depth`; an event on top of one that has it has the same."""
    return MAX_JSON_INT if version.strict_canonical_json else MAX_DEPTH_BEFORE_V6


def check_pdu_format(raw: object, version: RoomVersion) -> None:
    """Raise EventFormatError (EventTooLarge for a size) unless `raw` is a well-formed PDU of this room version."""
    if not isinstance(raw, dict):
        raise EventFormatError("the event is not an object")
    _check_json(raw, version)
    for name, expected in _REQUIRED:
        # `type` rather than `isinstance`: true and false are no integers.
        if type(raw.get(name)) is not expected:
            raise EventFormatError(f"`{name}` is missing or not {_JSON_NAMES[expected]}")
    check_type_and_state_key(raw["type"], raw.get("state_key"), is_state="state_key" in raw)
    _check_identifiers(raw, version)
    _check_numbers(raw, version)
    _check_optional(raw, version)
    _check_references("auth_events", raw["auth_events"], MAX_AUTH_EVENTS, version)
    _check_references("prev_events", raw["prev_events"], MAX_PREV_EVENTS, version)


def check_type_and_state_key(kind: str, state_key: object, *, is_state: bool) -> None:
    """Refuse a type or state key that is too long, holds a NUL (which stores cannot keep) or is not what it must be."""
    if utf8_length(kind) > MAX_EVENT_TYPE_BYTES:
        raise EventTooLarge(f"`type` is longer than {MAX_EVENT_TYPE_BYTES} bytes")
    if "\0" in kind:
        raise EventFormatError("`type` holds a NUL")
    if not is_state:
        return
    if not isinstance(state_key, str):
        raise EventFormatError("`state_key` is not a string")
    if utf8_length(state_key) > MAX_STATE_KEY_BYTES:
        raise EventTooLarge(f"`state_key` is longer than {MAX_STATE_KEY_BYTES} bytes")
    if "\0" in state_key:
        raise EventFormatError("`state_key` holds a NUL")
    if kind == "m.room.member" and not is_user_id(state_key):
        raise EventFormatError("the `state_key` of a membership is not a user ID")


def check_room_id_form(room_id: object, version: RoomVersion) -> str:
    """The room ID, unless it is none or has a domain where the room version has none, or the reverse."""
    if is_room_id(room_id) and (":" not in room_id) is version.room_id_is_create_hash:
        return room_id
    raise EventFormatError("`room_id` is not a room ID of this room version")


def _check_json(raw: dict[str, Any], version: RoomVersion) -> None:
    """Canonical JSON where the room version enforces it, and the size of the whole."""
    try:
        if version.strict_canonical_json:
            size = len(encode_checked_json(raw))
        else:
            check_json_depth(raw)
            size = len(encode_lenient_json(raw))
    except CanonicalJsonError as error:
        raise EventFormatError(str(error)) from error
    if size > MAX_PDU_BYTES:
        raise EventTooLarge(f"the event is larger than {MAX_PDU_BYTES} bytes")


def _check_identifiers(raw: dict[str, Any], version: RoomVersion) -> None:
    """`sender`, `room_id` and, where the sender chooses it, `event_id`; over-long ones fail their grammar."""
    if not is_user_id(raw["sender"]):
        raise EventFormatError("`sender` is not a user ID")
    if version.room_id_is_create_hash and raw["type"] == "m.room.create":
        if "room_id" in raw:
            raise EventFormatError("a create event has no `room_id` in this room version")
    else:
        check_room_id_form(raw.get("room_id"), version)
    if version.event_id_format is EventIdFormat.SENDER_CHOSEN:
        event_id = raw.get("event_id")
        if not is_event_id(event_id) or ":" not in event_id:
            raise EventFormatError("`event_id` is not an event ID of this room version")


def _check_numbers(raw: dict[str, Any], version: RoomVersion) -> None:
    """The ranges of `depth` and `origin_server_ts`."""
    if not 0 <= raw["depth"] <= max_depth(version):
        raise EventFormatError(f"`depth` is not between 0 and {max_depth(version)}")
    if not -MAX_DEPTH_BEFORE_V6 <= raw["origin_server_ts"] <= MAX_DEPTH_BEFORE_V6:
        raise EventFormatError("`origin_server_ts` does not fit in 64 bits")


def _check_optional(raw: dict[str, Any], version: RoomVersion) -> None:
    """The insides of `hashes` and `signatures`, and the keys that may be absent."""
    if not isinstance(raw["hashes"].get("sha256"), str):
        raise EventFormatError("`hashes` has no `sha256`")
    for by_server in raw["signatures"].values():
        if not isinstance(by_server, dict) or not all(isinstance(signature, str) for signature in by_server.values()):
            raise EventFormatError("`signatures` is not an object of objects of strings")
    if not isinstance(raw.get("unsigned", {}), dict):
        raise EventFormatError("`unsigned` is not an object")
    names_target = raw["type"] == "m.room.redaction" and not version.redacts_in_content
    if names_target and not isinstance(raw.get("redacts", ""), str):
        raise EventFormatError("`redacts` is not a string")


def _check_references(name: str, references: list[Any], limit: int, version: RoomVersion) -> None:
    """`auth_events` or `prev_events`: event IDs, in versions 1 and 2 each in a pair with its hashes."""
    if len(references) > limit:
        raise EventFormatError(f"`{name}` has more than {limit} events")
    for reference in references:
        if version.event_id_format is EventIdFormat.SENDER_CHOSEN:
            if not isinstance(reference, list) or len(reference) != 2 or not isinstance(reference[1], dict):
                raise EventFormatError(f"`{name}` is not made of pairs of event ID and hashes")
            reference = reference[0]
        if not is_event_id(reference):
            raise EventFormatError(f"`{name}` holds something that is not an event ID")
