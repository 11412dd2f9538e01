"""Rendezvous sessions for signing in with a QR code (MSC4388)."""

import msgspec

from myelin.http.endpoint import Auth, Endpoints
from myelin.http.request import Request
from myelin.http.requester import Requester
from myelin.http.response import Empty
from myelin.matrix.errors import Forbidden, MatrixError
from myelin.services.rendezvous.rendezvous import Rendezvous

endpoints = Endpoints(group="accounts", auth=Auth.NONE)

BELOW = "/_matrix/client/unstable/io.element.msc4388/rendezvous"
CONCURRENT_WRITE = "IO_ELEMENT_MSC4388_CONCURRENT_WRITE"


class Availability(msgspec.Struct, frozen=True):
    """Whether the requester may open a session."""

    create_available: bool


class FirstMessage(msgspec.Struct, frozen=True):
    """What lies in a new session."""

    data: str


class NextMessage(msgspec.Struct, frozen=True):
    """What replaces the message with this token."""

    sequence_token: str
    data: str


class Opened(msgspec.Struct, frozen=True):
    """A new session."""

    id: str
    sequence_token: str
    expires_in_ms: int


class Token(msgspec.Struct, frozen=True):
    """The token of the message that lies there now."""

    sequence_token: str


class Message(msgspec.Struct, frozen=True):
    """What lies there."""

    data: str
    sequence_token: str
    expires_in_ms: int


@endpoints.endpoint(f"GET {BELOW}", auth=Auth.OPTIONAL, limit="general")
async def discover_rendezvous(requester: Requester | None, rendezvous: Rendezvous) -> Availability:
    """Say whether the requester may open a session."""
    return Availability(rendezvous.may_open(requester.user_id if requester else None))


@endpoints.endpoint(f"POST {BELOW}", auth=Auth.OPTIONAL, limit="general")
async def create_rendezvous(requester: Requester | None, rendezvous: Rendezvous, body: FirstMessage) -> Opened:
    """Open a session."""
    place = await rendezvous.open(requester.user_id if requester else None, _bytes(body.data))
    return Opened(place.session_id, place.token, place.expires_in_ms)


@endpoints.endpoint(f"PUT {BELOW}/{{rendezvous_id}}", limit="general")
async def send_to_rendezvous(rendezvous: Rendezvous, rendezvous_id: str, body: NextMessage) -> Token:
    """Replace the message; the same message again is no conflict, so that a request can be repeated."""
    data = _bytes(body.data)
    place, is_done = await rendezvous.replace(rendezvous_id, body.sequence_token, data)
    if not is_done and place.data != data:
        raise MatrixError("Another message came first: read it", errcode=CONCURRENT_WRITE, status=409)
    return Token(place.token)


@endpoints.endpoint(f"GET {BELOW}/{{rendezvous_id}}", limit="general")
async def receive_from_rendezvous(request: Request, rendezvous: Rendezvous, rendezvous_id: str) -> Message:
    """Read the message; browsers that were sent here by a link are turned away."""
    if request.headers.get("Sec-Fetch-Mode") == "navigate":
        raise Forbidden("This is no page to look at")
    place = await rendezvous.at(rendezvous_id)
    return Message(place.data.decode("utf-8", "replace"), place.token, place.expires_in_ms)


@endpoints.endpoint(f"DELETE {BELOW}/{{rendezvous_id}}", limit="general")
async def cancel_rendezvous(rendezvous: Rendezvous, rendezvous_id: str) -> Empty:
    """Close a session."""
    await rendezvous.close(rendezvous_id)
    return Empty()


def _bytes(data: str) -> bytes:
    return data.encode("utf-8", "surrogatepass")
