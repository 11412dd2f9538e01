"""Events as clients see them (client-server API, "Room event format" and "Stripped state").

The dicts are new, their values belong to the event: a caller adds `unsigned` to the dict, and changes nothing inside.
"""

from typing import Any

from myelin.matrix.events.pdu import Pdu
from myelin.matrix.sticky_events import STICKY


def client_event(pdu: Pdu) -> dict[str, Any]:
    """The event with its `room_id`, as most endpoints return it."""
    event = client_event_without_room_id(pdu)
    event["room_id"] = pdu.room_id
    return event


def client_event_without_room_id(pdu: Pdu) -> dict[str, Any]:
    """The event as `/sync` returns it, under its room.

    A redaction names its target both at the top level and in the content, whichever of them its room version uses.
    """
    event: dict[str, Any] = {
        "content": pdu.content,
        "event_id": pdu.event_id,
        "origin_server_ts": pdu.origin_server_ts,
        "sender": pdu.sender,
        "type": pdu.type,
    }
    if pdu.state_key is not None:
        event["state_key"] = pdu.state_key
    if pdu.redacts is not None:
        event["redacts"] = pdu.redacts
        event["content"] = {**pdu.content, "redacts": pdu.redacts}
    if STICKY in pdu.raw:
        event[STICKY] = pdu.raw[STICKY]
    return event


def federation_event(pdu: Pdu) -> dict[str, Any]:
    """The event as servers exchange it, with its ID and room, for clients whose filter asks for that format."""
    return {**pdu.raw, "event_id": pdu.event_id, "room_id": pdu.room_id}


def stripped_state_event(pdu: Pdu) -> dict[str, Any]:
    """A state event for those who are not in the room: `sender`, `type`, `state_key` and `content` only."""
    return {"content": pdu.content, "sender": pdu.sender, "state_key": pdu.state_key, "type": pdu.type}
