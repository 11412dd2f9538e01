"""`sync.yaml`: what is new."""

import msgspec

from myelin.http.endpoint import Auth, Endpoints
from myelin.http.request import Request
from myelin.http.requester import Requester
from myelin.http.response import JsonBytes
from myelin.matrix.errors import InvalidParam
from myelin.matrix.filters import UNFILTERED
from myelin.services.accounts.filters import FilterService
from myelin.services.rooms.tokens import parse_token
from myelin.services.sync.reader import STATE, SyncRequest
from myelin.services.sync.sync import Sync

endpoints = Endpoints(group="sync", auth=Auth.GUEST)


class SyncQuery(msgspec.Struct, frozen=True):
    """Query parameters of `GET /sync`."""

    filter: str = ""
    since: str = ""
    full_state: bool = False
    set_presence: str = "online"
    timeout: int = 0
    use_state_after: bool = False
    msc4222: bool = msgspec.field(default=False, name="org.matrix.msc4222.use_state_after")


@endpoints.endpoint("GET /_matrix/client/v3/sync")
async def sync(
    requester: Requester, request: Request, service: Sync, filters: FilterService, query: SyncQuery
) -> JsonBytes:
    """Everything new since a token, as soon as there is something."""
    request.end_with_connection()
    if query.timeout < 0:
        raise InvalidParam("timeout must not be negative")
    wanted = SyncRequest(
        user_id=requester.user_id,
        device_id=requester.device_id or "",
        wanted=await filters.named(requester.user_id, query.filter) if query.filter else UNFILTERED,
        since=parse_token(query.since) if query.since else None,
        timeout_ms=query.timeout,
        full_state=query.full_state,
        state_name=_state_name(query),
        set_presence=query.set_presence,
    )
    return JsonBytes(await service.sync(wanted))


def _state_name(query: SyncQuery) -> str:
    """Clients that ask by the unstable name look for the answer under it."""
    if query.use_state_after:
        return "state_after"
    return "org.matrix.msc4222.state_after" if query.msc4222 else STATE
