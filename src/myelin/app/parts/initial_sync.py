"""`/initialSync`, and the endpoints beside it that were there before `/sync`."""

from collections.abc import Mapping
from typing import Any

from myelin.api.client import initial_sync
from myelin.app.ground import Ground
from myelin.app.parts.part import Part
from myelin.services.presence.presence import Presence
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.client_events import ClientEvents
from myelin.services.rooms.initial_sync import RoomInitialSync
from myelin.services.rooms.viewpoint import Viewpoints
from myelin.services.sync.event_stream import EventStream
from myelin.services.sync.initial_sync import InitialSync
from myelin.services.sync.presences import Presences
from myelin.services.sync.user_rooms import UserRooms
from myelin.services.userdata.account_data import AccountData


def make_initial_sync(ground: Ground, services: Mapping[type, Any]) -> Part:
    """How clients began before there was `/sync`. Stands after it."""
    initial = InitialSync(
        services[EventStream],
        services[UserRooms],
        services[Rooms],
        services[Viewpoints],
        services[RoomInitialSync],
        services[ClientEvents],
        Presences(services[Presence], services[UserRooms]),
        services[AccountData],
        ground.clock,
    )
    return Part(services={InitialSync: initial}, endpoints=[initial_sync.endpoints])
