"""`/sync`, and the event stream that was there before it."""

from collections.abc import Mapping
from typing import Any

from myelin.api.client import old_sync
from myelin.api.client import sync as sync_api
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
from myelin.services.rooms.selection import Selection
from myelin.services.rooms.visibility import Visibility
from myelin.services.sticky_events.sticky_events import StickyEvents
from myelin.services.sync.absent import AbsentRooms
from myelin.services.sync.answers import Answers
from myelin.services.sync.changed_rooms import ChangedRooms
from myelin.services.sync.device_changes import DeviceChanges
from myelin.services.sync.event_stream import EventStream
from myelin.services.sync.joined import JoinedRooms
from myelin.services.sync.key_news import KeyNews
from myelin.services.sync.lazy_members import LazyMembers
from myelin.services.sync.new_messages import NewMessages
from myelin.services.sync.presences import Presences
from myelin.services.sync.rendering import Rendering
from myelin.services.sync.room_sections import RoomSections
from myelin.services.sync.rooms_ahead import RoomsAhead
from myelin.services.sync.states import States
from myelin.services.sync.sticky_sections import StickySections
from myelin.services.sync.summaries import Summaries
from myelin.services.sync.sync import Sync
from myelin.services.sync.timelines import Timelines
from myelin.services.sync.user_rooms import UserRooms
from myelin.services.sync.waiting import Waiting
from myelin.services.threads.subscribers import ThreadSubscribers
from myelin.services.typing.typing_users import TypingUsers
from myelin.services.userdata.account_data import AccountData
from myelin.services.userdata.ignored_users import IgnoredUsers
from myelin.services.userdata.push_rules import PushRulesets
from myelin.services.userdata.unwanted_invites import UnwantedInvites
from myelin.store.events import EventStore
from myelin.store.members import MemberStore
from myelin.store.state import StateStore


def make_sync(ground: Ground, services: Mapping[type, Any]) -> Part:
    """What is new, for all who wait."""
    database, feed = ground.database, ground.feed
    users = UserRooms(database, feed)
    selection = Selection(database, services[IgnoredUsers])
    timelines = Timelines(
        EventStore(database), services[Rooms], services[ClientEvents], services[Visibility], selection
    )
    summaries = Summaries(MemberStore(database), feed)
    made: dict[type, Any] = {
        UserRooms: users,
        Timelines: timelines,
        ChangedRooms: ChangedRooms(database, feed),
        Unread: Unread(
            database,
            feed,
            services[Rooms],
            services[Receipts],
            services[PushRulesets],
            services[IgnoredUsers],
            services[ThreadSubscribers],
        ),
        Summaries: summaries,
        RoomsAhead: RoomsAhead(services[Rooms], services[Receipts], services[Visibility], summaries),
        Rendering: Rendering(services[Rooms], services[Bundles], services[Visibility], ground.clock),
        Presences: Presences(services[Presence], users),
        KeyNews: KeyNews(services[KeyCounts], feed),
        # The last to hear of anything: when it wakes somebody, all others know what is new.
        Waiting: Waiting(feed, services[Rooms], users),
    }
    services[Discovery].unstable_features["org.matrix.msc4222"] = True
    lazy = LazyMembers()
    made[States] = States(StateStore(database), lazy, made[Rendering])
    made[NewMessages] = NewMessages(
        services[Rooms], made[ChangedRooms], services[Visibility], lazy, made[Unread], ground.clock
    )
    made[AbsentRooms] = _absent_rooms(ground, services, made)
    made[Sync] = _sync(ground, services, made, _sections(services, made))
    made[EventStream] = _event_stream(ground, services, made)
    return Part(services=made, endpoints=[sync_api.endpoints, old_sync.endpoints], loops=[made[Waiting].until_stopped])


def _absent_rooms(ground: Ground, services: Mapping[type, Any], made: Mapping[type, Any]) -> AbsentRooms:
    return AbsentRooms(
        services[Rooms],
        StateStore(ground.database),
        made[Timelines],
        made[States],
        made[Rendering],
        services[ClientEvents],
        services[UnwantedInvites],
    )


def _sections(services: Mapping[type, Any], made: Mapping[type, Any]) -> RoomSections:
    receipts, typing, summaries = services[Receipts], services[TypingUsers], made[Summaries]
    joined = JoinedRooms(
        made[Timelines],
        made[States],
        made[Rendering],
        made[NewMessages],
        summaries,
        made[Unread],
        receipts,
        typing,
        StickySections(services[StickyEvents], services[ClientEvents], made[Rendering]),
    )
    return RoomSections(
        made[RoomsAhead],
        made[ChangedRooms],
        joined,
        made[AbsentRooms],
        made[Unread],
        receipts,
        typing,
    )


def _sync(ground: Ground, services: Mapping[type, Any], made: Mapping[type, Any], sections: RoomSections) -> Sync:
    answers = Answers(
        ground.feed,
        made[UserRooms],
        sections,
        made[NewMessages],
        DeviceChanges(services[DeviceLists], made[UserRooms], StateStore(ground.database)),
        services[AccountData],
        services[IgnoredUsers],
        services[ToDevice],
        made[KeyNews],
        services[DeviceLists],
        services[Receipts],
        made[Presences],
        services[Presence],
        services[TypingUsers],
        max_limit=ground.config.sync.max_timeline_limit,
    )
    return Sync(
        ground.feed,
        made[Waiting],
        answers,
        services[ToDevice],
        made[KeyNews],
        services[Presence],
        ground.clock,
        max_timeout_ms=ground.config.sync.max_timeout_ms,
    )


def _event_stream(ground: Ground, services: Mapping[type, Any], made: Mapping[type, Any]) -> EventStream:
    return EventStream(
        ground.feed,
        made[UserRooms],
        services[Rooms],
        made[Waiting],
        made[ChangedRooms],
        made[Timelines],
        services[ClientEvents],
        services[Receipts],
        services[TypingUsers],
        services[Presence],
        ground.clock,
        max_timeout_ms=ground.config.sync.max_timeout_ms,
    )
