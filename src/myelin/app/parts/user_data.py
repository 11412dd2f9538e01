"""What belongs to one user: account data, tags, push rules, receipts, read markers, typing, presence."""

from collections.abc import Mapping
from typing import Any

from myelin.api.client import account_data, presence, pushrules, read_markers, receipts, tags, typing
from myelin.app.ground import Ground
from myelin.app.parts.part import Part
from myelin.services.presence.presence import Presence
from myelin.services.receipts.read_markers import ReadMarkers
from myelin.services.receipts.receipts import Receipts
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.reading import RoomReading
from myelin.services.typing.typing_users import TypingUsers
from myelin.services.userdata.account_data import AccountData
from myelin.services.userdata.push_rules import PushRules, PushRulesets
from myelin.services.userdata.tags import Tags

ENDPOINTS = tuple(
    module.endpoints for module in (account_data, presence, pushrules, read_markers, receipts, tags, typing)
)


def make_user_data(ground: Ground, services: Mapping[type, Any]) -> Part:
    """Everything that a user keeps on the server besides messages and keys."""
    database, committer, feed, clock = ground.database, ground.committer, ground.feed, ground.clock
    rooms = RoomReading(services[Rooms], database)
    data = AccountData(database, committer, feed)
    moved = Receipts(database, committer, feed, rooms, clock)
    typists = TypingUsers(feed, rooms, clock)
    online = Presence(ground.config.presence, database, feed, rooms, clock)
    made = (
        rooms,
        data,
        moved,
        typists,
        online,
        Tags(data),
        PushRules(database, data),
        PushRulesets(database, feed),
        ReadMarkers(data, moved, rooms),
    )
    return Part(
        services={type(service): service for service in made},
        endpoints=ENDPOINTS,
        loops=(online.run,),
        close=(typists.close,),
    )
