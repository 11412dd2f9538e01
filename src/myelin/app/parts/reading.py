"""Reading rooms: history, state, relations, threads."""

from collections.abc import Mapping
from typing import Any

from myelin.app.ground import Ground
from myelin.app.parts.part import Part
from myelin.services.rooms.bundles import Bundles
from myelin.services.rooms.client_events import ClientEvents
from myelin.services.rooms.visibility import Visibility
from myelin.services.userdata.account_data import AccountData
from myelin.services.userdata.ignored_users import IgnoredUsers

MIB = 1024 * 1024


def make_reading(ground: Ground, services: Mapping[type, Any]) -> Part:
    """What users can see of rooms. Stands after account data, which has the users they ignore."""
    budget = ground.config.sync.event_cache_mib * MIB
    client_events = ClientEvents(ground.database, ground.feed, budget_bytes=budget)
    visibility = Visibility(ground.database, ground.feed)
    ignored_users = IgnoredUsers(services[AccountData])
    bundles = Bundles(client_events, visibility, ignored_users, ground.clock)
    made = (client_events, visibility, ignored_users, bundles)
    return Part(services={type(service): service for service in made})
