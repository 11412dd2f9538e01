"""Simplified sliding sync (MSC4186), under the name by which clients know it."""

import msgspec

from myelin.http.endpoint import Auth, Endpoints
from myelin.http.requester import Requester
from myelin.http.response import JsonBytes
from myelin.matrix.errors import InvalidParam
from myelin.services.sliding_sync.request import SlidingSyncBody
from myelin.services.sliding_sync.sliding_sync import SlidingSync, SlidingSyncRequest

endpoints = Endpoints(group="sync", auth=Auth.GUEST)


class SlidingSyncQuery(msgspec.Struct, frozen=True):
    """Query parameters: the body stays the same from request to request."""

    pos: str = ""
    timeout: int = 0
    set_presence: str = "online"


@endpoints.endpoint("POST /_matrix/client/unstable/org.matrix.simplified_msc3575/sync")
async def sliding_sync(
    requester: Requester, service: SlidingSync, query: SlidingSyncQuery, body: SlidingSyncBody
) -> JsonBytes:
    """What is new in a window on the user's rooms, as soon as there is something."""
    if query.timeout < 0:
        raise InvalidParam("timeout must not be negative")
    request = SlidingSyncRequest(
        user_id=requester.user_id,
        device_id=requester.device_id or "",
        pos=query.pos,
        timeout_ms=query.timeout,
        set_presence=query.set_presence,
        body=body,
    )
    return JsonBytes(await service.sync(request))
