"""Simplified sliding sync."""

import asyncio
from collections.abc import Mapping
from typing import Any

from myelin.api.client import sliding_sync as sliding_sync_api
from myelin.app.ground import Ground
from myelin.app.parts.part import Part
from myelin.services.accounts.discovery import Discovery
from myelin.services.e2ee.device_lists import DeviceLists
from myelin.services.e2ee.key_counts import KeyCounts
from myelin.services.e2ee.to_device import ToDevice
from myelin.services.notifications.unread import Unread
from myelin.services.presence.presence import Presence
from myelin.services.receipts.receipts import Receipts
from myelin.services.rooms.bundles import Bundles
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.client_events import ClientEvents
from myelin.services.sliding_sync.bump_stamps import BumpStamps
from myelin.services.sliding_sync.connections import Connections
from myelin.services.sliding_sync.device_extensions import DeviceExtensions
from myelin.services.sliding_sync.room_extensions import RoomExtensions
from myelin.services.sliding_sync.room_results import RoomResults
from myelin.services.sliding_sync.sliding_sync import SlidingSync
from myelin.services.sliding_sync.sticky_extension import StickyExtension
from myelin.services.sliding_sync.thread_extension import ThreadExtension
from myelin.services.sliding_sync.told_rooms import ToldRooms
from myelin.services.sliding_sync.user_lists import UserLists
from myelin.services.sticky_events.sticky_events import StickyEvents
from myelin.services.sync.absent import AbsentRooms
from myelin.services.sync.rendering import Rendering
from myelin.services.sync.rooms_ahead import RoomsAhead
from myelin.services.sync.summaries import Summaries
from myelin.services.sync.timelines import Timelines
from myelin.services.sync.user_rooms import UserRooms
from myelin.services.sync.waiting import Waiting
from myelin.services.threads.subscriptions import ThreadSubscriptions
from myelin.services.typing.typing_users import TypingUsers
from myelin.services.userdata.account_data import AccountData
from myelin.services.userdata.ignored_users import IgnoredUsers
from myelin.store.sliding_sync import SlidingSyncStore
from myelin.store.state import StateStore

CLEANUP_INTERVAL_S = 3_600


def make_sliding_sync(ground: Ground, services: Mapping[type, Any]) -> Part:
    """Windows on users' rooms."""
    connections = Connections(ground.database, ground.clock, ground.randomness)
    lists = UserLists(ground.database, ground.feed, services[UserRooms], services[Rooms], services[AccountData])
    service = SlidingSync(
        ground.feed,
        connections,
        lists,
        _told_rooms(ground, services),
        RoomExtensions(services[Receipts], services[TypingUsers]),
        _device_extensions(ground, services),
        ThreadExtension(services[ThreadSubscriptions]),
        StickyExtension(lists, services[Rooms], services[StickyEvents], services[ClientEvents], ground.clock),
        services[Waiting],
        services[Presence],
        services[TypingUsers],
        services[IgnoredUsers],
        ground.clock,
        max_timeout_ms=ground.config.sync.max_timeout_ms,
        max_limit=ground.config.sync.max_timeline_limit,
    )
    services[Discovery].unstable_features["org.matrix.simplified_msc3575"] = True

    async def clean() -> None:
        while True:
            await connections.clean()
            await asyncio.sleep(CLEANUP_INTERVAL_S)

    return Part(
        services={SlidingSync: service, Connections: connections},
        endpoints=[sliding_sync_api.endpoints],
        loops=[clean],
    )


def _told_rooms(ground: Ground, services: Mapping[type, Any]) -> ToldRooms:
    rooms, state = services[Rooms], StateStore(ground.database)
    results = RoomResults(
        rooms,
        state,
        services[Timelines],
        services[Rendering],
        services[Summaries],
        services[Bundles],
        services[Unread],
        BumpStamps(ground.database),
        ground.clock,
    )
    return ToldRooms(rooms, services[RoomsAhead], results, services[AbsentRooms])


def _device_extensions(ground: Ground, services: Mapping[type, Any]) -> DeviceExtensions:
    return DeviceExtensions(
        SlidingSyncStore(ground.database),
        StateStore(ground.database),
        services[UserRooms],
        services[Rooms],
        services[ToDevice],
        services[DeviceLists],
        services[KeyCounts],
    )
