"""From the JSON of a PDU to the event type that everything else reads."""

from typing import Any

from myelin.matrix.errors import EventFormatError
from myelin.matrix.events.hashes import event_id_of
from myelin.matrix.events.pdu import Pdu
from myelin.matrix.room_versions import EventIdFormat, RoomVersion


def parse_pdu(raw: dict[str, Any], version: RoomVersion, *, event_id: str | None = None, rejected: bool = False) -> Pdu:
    """The event that `raw` is; `raw` is kept and must not be changed afterwards.

    Without `event_id` it is computed (from version 3 on) or read from `raw`. JSON from outside goes through
    `events.format.check_pdu_format` first: here a missing field raises EventFormatError, and types are not checked.
    """
    if event_id is None:
        event_id = event_id_of(raw, version)
    try:
        kind = raw["type"]
        content = raw["content"]
        auth_events = raw["auth_events"]
        prev_events = raw["prev_events"]
        if version.event_id_format is EventIdFormat.SENDER_CHOSEN:
            auth_events = [event for event, _ in auth_events]
            prev_events = [event for event, _ in prev_events]
        if version.room_id_is_create_hash and kind == "m.room.create" and "room_id" not in raw:
            room_id = room_id_of(event_id)
        else:
            room_id = raw["room_id"]
        return Pdu(
            event_id=event_id,
            room_id=room_id,
            type=kind,
            sender=raw["sender"],
            state_key=raw.get("state_key"),
            content=content,
            auth_events=tuple(auth_events),
            prev_events=tuple(prev_events),
            depth=raw["depth"],
            origin_server_ts=raw["origin_server_ts"],
            redacts=redacts_of(raw, version) if kind == "m.room.redaction" else None,
            raw=raw,
            rejected=rejected,
        )
    except KeyError as error:
        raise EventFormatError(f"`{error.args[0]}` is missing") from error
    except (AttributeError, TypeError, ValueError) as error:
        raise EventFormatError("a field of the event has the wrong type") from error


def room_id_of(create_event_id: str) -> str:
    """The ID of the room that a create event makes, from version 12 on."""
    return "!" + create_event_id[1:]


def redacts_of(raw: dict[str, Any], version: RoomVersion) -> str | None:
    """The event that a redaction redacts, wherever this room version writes it; None if it is not a string."""
    redacts = (raw["content"] if version.redacts_in_content else raw).get("redacts")
    return redacts if isinstance(redacts, str) else None
