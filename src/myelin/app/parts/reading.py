"""Reading rooms: history, state, relations, threads."""

from collections.abc import Mapping
from typing import Any

from myelin.api.client import (
    event_context,
    message_pagination,
    relations,
    room_event_by_timestamp,
    room_initial_sync,
    rooms,
    threads_list,
)
from myelin.app.ground import Ground
from myelin.app.parts.part import Part
from myelin.services.presence.presence import Presence
from myelin.services.receipts.receipts import Receipts
from myelin.services.rooms.bundles import Bundles
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.client_events import ClientEvents
from myelin.services.rooms.event_context import EventContext
from myelin.services.rooms.events_by_time import EventsByTime
from myelin.services.rooms.initial_sync import RoomInitialSync
from myelin.services.rooms.lone_events import LoneEvents
from myelin.services.rooms.messages import Messages
from myelin.services.rooms.pagination import Pagination
from myelin.services.rooms.ports import HistorySources, RemoteMomentSources
from myelin.services.rooms.presentation import Presentation
from myelin.services.rooms.related_events import RelatedEvents
from myelin.services.rooms.selection import Selection
from myelin.services.rooms.state_reading import StateReading
from myelin.services.rooms.threads import Threads
from myelin.services.rooms.viewpoint import Viewpoints
from myelin.services.rooms.visibility import Visibility
from myelin.services.userdata.account_data import AccountData
from myelin.services.userdata.ignored_users import IgnoredUsers
from myelin.services.userdata.unwanted_invites import UnwantedInvites
from myelin.store.directory import DirectoryStore

MIB = 1024 * 1024
ENDPOINTS = tuple(
    module.endpoints
    for module in (
        event_context,
        message_pagination,
        relations,
        room_event_by_timestamp,
        room_initial_sync,
        rooms,
        threads_list,
    )
)


def make_reading(ground: Ground, services: Mapping[type, Any]) -> Part:
    """What users can see of rooms. Stands after what they keep, such as the list of users they ignore."""
    database, feed, clock = ground.database, ground.feed, ground.clock
    client_events = ClientEvents(database, feed, budget_bytes=ground.config.sync.event_cache_mib * MIB)
    visibility = Visibility(database, feed)
    ignored_users = IgnoredUsers(services[AccountData])
    bundles = Bundles(client_events, visibility, ignored_users, clock)
    presentation = Presentation(bundles, clock)
    selection = Selection(database, ignored_users)
    pagination = Pagination(database, client_events, selection)
    state = StateReading(database, client_events, presentation)
    context = EventContext(client_events, pagination, presentation, state)
    viewpoints = Viewpoints(services[Rooms], visibility)
    moments = RemoteMomentSources()
    histories = HistorySources()
    made = (
        client_events,
        visibility,
        ignored_users,
        UnwantedInvites(
            services[AccountData], ignored_users, f"@{ground.config.notices.localpart}:{ground.server_name}"
        ),
        bundles,
        presentation,
        state,
        context,
        viewpoints,
        LoneEvents(database, viewpoints, context),
        Messages(pagination, presentation, state, viewpoints, histories),
        histories,
        RelatedEvents(database, client_events, context, selection),
        Threads(database, client_events, ignored_users),
        EventsByTime(database, client_events, moments, histories),
        moments,
        RoomInitialSync(
            pagination,
            presentation,
            state,
            services[AccountData],
            services[Presence],
            services[Receipts],
            DirectoryStore(database),
        ),
    )
    return Part(services={type(service): service for service in made}, endpoints=ENDPOINTS)
