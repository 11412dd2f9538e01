"""Events that every client in a room gets to see while they last."""

from collections.abc import Mapping
from typing import Any

from myelin.app.ground import Ground
from myelin.app.parts.part import Part
from myelin.services.accounts.discovery import Discovery
from myelin.services.sticky_events.sticky_events import StickyEvents


def make_sticky_events(ground: Ground, services: Mapping[type, Any]) -> Part:
    """What is sticky now. Stands before what syncs."""
    sticky = StickyEvents(ground.database, ground.feed, ground.clock)
    services[Discovery].unstable_features["org.matrix.msc4354"] = True
    return Part(services={StickyEvents: sticky}, loops=(sticky.run,))
