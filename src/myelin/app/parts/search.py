"""Searching messages: the index, which the writer of events feeds, and what asks it."""

from collections.abc import Mapping
from typing import Any

from myelin.api.client import search
from myelin.app.ground import Ground
from myelin.app.parts.part import Part
from myelin.services.rooms.client_events import ClientEvents
from myelin.services.rooms.pagination import Pagination
from myelin.services.rooms.presentation import Presentation
from myelin.services.rooms.selection import Selection
from myelin.services.rooms.state_reading import StateReading
from myelin.services.rooms.viewpoint import Viewpoints
from myelin.services.rooms.visibility import Visibility
from myelin.services.search.message_search import MessageSearch
from myelin.services.search.result_context import ContextReader
from myelin.services.search.result_rendering import ResultRendering
from myelin.services.search.search_index import SearchIndex
from myelin.services.userdata.ignored_users import IgnoredUsers


def make_search_index(ground: Ground, services: Mapping[type, Any]) -> Part:  # noqa: ARG001  (a MakePart)
    """What the writer of events needs of search."""
    return Part(services={SearchIndex: SearchIndex()})


def make_search(ground: Ground, services: Mapping[type, Any]) -> Part:
    """Finding events by words. Stands after what users can see of rooms."""
    database, viewpoints, client_events = ground.database, services[Viewpoints], services[ClientEvents]
    selection = Selection(database, services[IgnoredUsers])
    context = ContextReader(database, Pagination(database, client_events, selection), client_events)
    return Part(
        services={
            MessageSearch: MessageSearch(database, viewpoints, services[Visibility], client_events, selection),
            ResultRendering: ResultRendering(context, services[Presentation], services[StateReading], viewpoints),
        },
        endpoints=[search.endpoints],
    )
