"""Events that are sent later."""

from collections.abc import Mapping
from typing import Any

from myelin.api.client import delayed_events
from myelin.app.ground import Ground
from myelin.app.parts.part import Part
from myelin.services.accounts.discovery import Discovery
from myelin.services.delayed_events.delayed_events import DelayedEvents
from myelin.services.delayed_events.due_events import DueEvents
from myelin.services.membership.by_state import StateSender
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.sending import EventSender


def make_delayed_events(ground: Ground, services: Mapping[type, Any]) -> Part:
    """Keeps them and sends them."""
    rooms = services[Rooms]
    due = DueEvents(ground.database, rooms, services[EventSender], services[StateSender])
    delayed = DelayedEvents(ground.config.rooms, ground.database, rooms, due, ground.clock, ground.randomness)
    services[Discovery].unstable_features["org.matrix.msc4140"] = ground.config.rooms.max_event_delay_ms > 0
    return Part(services={DelayedEvents: delayed}, endpoints=(delayed_events.endpoints,), loops=(delayed.run,))
