"""Power events and their reverse topological ordering (spec: rooms/v2, "State resolution", Definitions)."""

from collections.abc import Mapping
from heapq import heapify, heappop, heappush

from myelin.matrix.auth_rules.selection import CREATE, POWER_LEVELS
from myelin.matrix.events.pdu import Pdu, StateKey
from myelin.matrix.power_levels import Level, PowerLevels
from myelin.matrix.room_versions import RoomVersion

Rank = tuple[Level, int, str]


def is_power_event(event: Pdu) -> bool:
    """Whether the event might take away somebody's ability to do something."""
    if event.type == "m.room.member":
        return event.content.get("membership") in ("leave", "ban") and event.sender != event.state_key
    return event.type in ("m.room.power_levels", "m.room.join_rules")


def auth_event_of(event: Pdu, key: StateKey, events: Mapping[str, Pdu]) -> Pdu | None:
    """The event's auth event with this key."""
    for auth_id in event.auth_events:
        auth_event = events.get(auth_id)
        if auth_event is not None and (auth_event.type, auth_event.state_key) == key:
            return auth_event
    return None


def power_ordering(
    event_ids: set[str], events: Mapping[str, Pdu], create: Pdu | None, version: RoomVersion
) -> list[Pdu]:
    """The events from earliest to latest: after their auth events, the more powerful sender first, then by time and ID.

    Events that cite each other in a circle, which is conceivable where servers choose event IDs, are left out.
    """
    waits_for = {e: {auth_id for auth_id in events[e].auth_events if auth_id in event_ids} for e in event_ids}
    cited_by: dict[str, list[str]] = {event_id: [] for event_id in event_ids}
    for event_id, auth_ids in waits_for.items():
        for auth_id in auth_ids:
            cited_by[auth_id].append(event_id)
    ready = [_rank(events[e], events, create, version) for e, auth_ids in waits_for.items() if not auth_ids]
    heapify(ready)
    ordered: list[Pdu] = []
    while ready:
        event_id = heappop(ready)[2]
        ordered.append(events[event_id])
        for later in cited_by[event_id]:
            waits_for[later].discard(event_id)
            if not waits_for[later]:
                heappush(ready, _rank(events[later], events, create, version))
    return ordered


def _rank(event: Pdu, events: Mapping[str, Pdu], create: Pdu | None, version: RoomVersion) -> Rank:
    """What sorts an event among those whose auth events are done; the sender's power is that of its auth events."""
    power_levels = auth_event_of(event, POWER_LEVELS, events)
    levels = PowerLevels(power_levels, create or auth_event_of(event, CREATE, events), version)
    return -levels.power_level_of(event.sender), event.origin_server_ts, event.event_id
