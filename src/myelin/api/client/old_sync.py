"""The event stream (spec: old_sync.yaml and peeking_events.yaml, which share their path)."""

from typing import Any

import msgspec

from myelin.http.endpoint import Auth, Endpoints
from myelin.http.requester import Requester
from myelin.http.response import JsonBytes
from myelin.matrix.errors import InvalidParam, MatrixError
from myelin.services.rooms.lone_events import LoneEvents
from myelin.services.rooms.tokens import parse_token
from myelin.services.rooms.viewpoint import Viewpoints
from myelin.services.sync.event_stream import EventStream

endpoints = Endpoints(group="sync", auth=Auth.GUEST)

DEFAULT_TIMEOUT_MS = 30_000


class EventsQuery(msgspec.Struct, frozen=True):
    """Query parameters of `GET /events`."""

    since: str = msgspec.field(default="", name="from")
    timeout: int = DEFAULT_TIMEOUT_MS
    room_id: str | None = None


@endpoints.endpoint("GET /_matrix/client/v3/events")
async def get_events(
    requester: Requester, stream: EventStream, viewpoints: Viewpoints, query: EventsQuery
) -> dict[str, Any]:
    """Tell what is new in the user's rooms, or in one room that the user looks at, as soon as there is something."""
    if query.timeout < 0:
        raise InvalidParam("timeout must not be negative")
    if query.room_id is not None:
        await viewpoints.of(requester, query.room_id)
    elif requester.is_guest:
        raise MatrixError("Guests name the room that they look at", errcode="M_GUEST_ACCESS_FORBIDDEN")
    since = parse_token(query.since) if query.since else None
    page = await stream.next(requester, since, query.timeout, room_id=query.room_id)
    return {"start": str(page.start), "end": str(page.end), "chunk": page.chunk}


@endpoints.endpoint("GET /_matrix/client/v3/events/{event_id}", auth=Auth.USER)
async def get_one_event(requester: Requester, events: LoneEvents, event_id: str) -> JsonBytes:
    """Show an event, whatever room it is in."""
    return JsonBytes(await events.json(requester, event_id))
