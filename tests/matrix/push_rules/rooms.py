"""Rooms as push rules see them."""

from typing import Any

from matrix.plain_events import plain_event
from myelin.matrix.events.pdu import Pdu
from myelin.matrix.power_levels import PowerLevels
from myelin.matrix.push_rules import EventFacts
from myelin.matrix.room_versions import V11


def facts_of(event: Pdu, *, members: int = 3, sender_level: int = 0, **levels: Any) -> EventFacts:
    """Facts about an event in a room with so many members and whose sender has such a level."""
    content = {"users": {event.sender: sender_level}} | levels
    power_levels = PowerLevels(plain_event(type="m.room.power_levels", state_key="", content=content), None, V11)
    return EventFacts(event, member_count=members, power_levels=power_levels)
