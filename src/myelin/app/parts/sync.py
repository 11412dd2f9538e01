"""`/sync`."""

from collections.abc import Mapping
from typing import Any

from myelin.api.client import old_sync
from myelin.api.client import sync as sync_api
from myelin.app.ground import Ground
from myelin.app.parts.part import Part
from myelin.services.e2ee.device_lists import DeviceLists
from myelin.services.e2ee.key_counts import KeyCounts
from myelin.services.e2ee.to_device import ToDevice
from myelin.services.notifications.unread import Unread
from myelin.services.presence.presence import Presence
from myelin.services.receipts.receipts import Receipts
from myelin.services.rooms.bundles import Bundles
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.client_events import ClientEvents
from myelin.services.rooms.visibility import Visibility
from myelin.services.sync.absent import AbsentRooms
from myelin.services.sync.changed_rooms import ChangedRooms
from myelin.services.sync.device_changes import DeviceChanges
from myelin.services.sync.event_stream import EventStream
from myelin.services.sync.joined import JoinedRooms
from myelin.services.sync.lazy_members import LazyMembers
from myelin.services.sync.presences import Presences
from myelin.services.sync.room_sections import RoomSections
from myelin.services.sync.states import States
from myelin.services.sync.sync import Sync
from myelin.services.sync.timelines import Timelines
from myelin.services.sync.user_rooms import UserRooms
from myelin.services.sync.waiting import Waiting
from myelin.services.typing.typing_users import TypingUsers
from myelin.services.userdata.account_data import AccountData
from myelin.services.userdata.ignored_users import IgnoredUsers
from myelin.services.userdata.push_rules import PushRulesets
from myelin.store.events import EventStore
from myelin.store.state import StateStore


def make_sync(ground: Ground, services: Mapping[type, Any]) -> Part:
    """What is new, for all who wait."""
    users = UserRooms(ground.database, ground.feed)
    waiting = Waiting(ground.feed, services[Rooms], users)
    unread = Unread(ground.database, ground.feed, services[Receipts], services[PushRulesets])
    changed = ChangedRooms(ground.database, ground.feed)
    joined, absent = _rooms(ground, services, unread)
    sync = Sync(
        ground.feed,
        users,
        waiting,
        _sections(ground, services, users, changed, joined, absent),
        services[AccountData],
        services[IgnoredUsers],
        services[ToDevice],
        services[KeyCounts],
        Presences(services[Presence], users),
        services[Presence],
        services[TypingUsers],
        ground.clock,
        max_timeout_ms=ground.config.sync.max_timeout_ms,
        max_limit=ground.config.sync.max_timeline_limit,
    )
    stream = EventStream(
        ground.feed,
        users,
        services[Rooms],
        waiting,
        changed,
        Timelines(EventStore(ground.database), services[ClientEvents], services[Visibility]),
        services[ClientEvents],
        services[Receipts],
        services[TypingUsers],
        services[Presence],
        ground.clock,
        max_timeout_ms=ground.config.sync.max_timeout_ms,
    )
    return Part(
        services={
            Sync: sync,
            EventStream: stream,
            UserRooms: users,
            Unread: unread,
            Waiting: waiting,
            AbsentRooms: absent,
        },
        endpoints=[sync_api.endpoints, old_sync.endpoints],
    )


def _rooms(ground: Ground, services: Mapping[type, Any], unread: Unread) -> tuple[JoinedRooms, AbsentRooms]:
    """What tells of rooms that readers are in, and of those that they are not in."""
    rooms, client_events = services[Rooms], services[ClientEvents]
    state = StateStore(ground.database)
    timelines = Timelines(EventStore(ground.database), client_events, services[Visibility])
    joined = JoinedRooms(
        timelines,
        States(rooms, state),
        services[Bundles],
        unread,
        services[Receipts],
        services[TypingUsers],
        LazyMembers(),
        ground.clock,
    )
    return joined, AbsentRooms(rooms, state, timelines, joined, client_events)


def _sections(
    ground: Ground,
    services: Mapping[type, Any],
    users: UserRooms,
    changed: ChangedRooms,
    joined: JoinedRooms,
    absent: AbsentRooms,
) -> RoomSections:
    return RoomSections(
        services[Rooms],
        StateStore(ground.database),
        changed,
        joined,
        absent,
        DeviceChanges(services[DeviceLists], users),
        services[Receipts],
        services[TypingUsers],
    )
