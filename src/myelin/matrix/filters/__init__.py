"""Filters: which events an endpoint returns, and which of their fields (spec: client-server API, "Filtering")."""

from myelin.matrix.filters.bodies import EventFilterBody, FilterBody, RoomEventFilterBody, RoomFilterBody
from myelin.matrix.filters.event_fields import EventFields
from myelin.matrix.filters.event_filter import EVERYTHING, EventFilter
from myelin.matrix.filters.parse import UNFILTERED, Filter, RoomFilter, parse_filter, parse_room_event_filter

__all__ = [
    "EVERYTHING",
    "UNFILTERED",
    "EventFields",
    "EventFilter",
    "EventFilterBody",
    "Filter",
    "FilterBody",
    "RoomEventFilterBody",
    "RoomFilter",
    "RoomFilterBody",
    "parse_filter",
    "parse_room_event_filter",
]
