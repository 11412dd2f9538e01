"""Threads that users subscribe to (MSC4306), and reading back what changed about that (MSC4308)."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from myelin.http.endpoint import Endpoints
from myelin.http.requester import Requester
from myelin.http.response import Empty
from myelin.matrix.errors import InvalidParam
from myelin.services.sliding_sync.pos import parse_pos
from myelin.services.threads.subscriptions import END, ThreadSubscriptions

endpoints = Endpoints(group="rooms")

PATH = "/_matrix/client/unstable/io.element.msc4306/rooms/{room_id}/thread/{thread_id}/subscription"
MAX_CHANGES = 100
MAX_TOKEN_DIGITS = 18


class Subscription(msgspec.Struct, frozen=True):
    """Whether a client subscribed of its own accord."""

    automatic: bool


class Subscribe(msgspec.Struct, frozen=True):
    """The event because of which a client subscribes of its own accord; without one the user does."""

    automatic: str | None = None


class ChangesQuery(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """From a token back to a `pos` of sliding sync."""

    dir: Literal["b"]
    from_: str | None = None
    to: str | None = None
    limit: Annotated[int, Meta(gt=0)] = MAX_CHANGES


@endpoints.endpoint(f"GET {PATH}", limit="general", shard_by="room_id")
async def get_thread_subscription(
    requester: Requester, subscriptions: ThreadSubscriptions, room_id: str, thread_id: str
) -> Subscription:
    """Say whether the user is subscribed to a thread."""
    return Subscription(await subscriptions.is_automatic(requester, room_id, thread_id))


@endpoints.endpoint(f"PUT {PATH}", limit="general", shard_by="room_id")
async def put_thread_subscription(
    requester: Requester, subscriptions: ThreadSubscriptions, room_id: str, thread_id: str, body: Subscribe
) -> Empty:
    """Subscribe to a thread."""
    await subscriptions.subscribe(requester, room_id, thread_id, body.automatic)
    return Empty()


@endpoints.endpoint(f"DELETE {PATH}", limit="general", shard_by="room_id")
async def delete_thread_subscription(
    requester: Requester, subscriptions: ThreadSubscriptions, room_id: str, thread_id: str
) -> Empty:
    """Unsubscribe from a thread."""
    await subscriptions.unsubscribe(requester, room_id, thread_id)
    return Empty()


@endpoints.endpoint("GET /_matrix/client/unstable/io.element.msc4308/thread_subscriptions", limit="general")
async def get_thread_subscription_changes(
    requester: Requester, subscriptions: ThreadSubscriptions, query: ChangesQuery
) -> dict[str, Any]:
    """Read back what changed about the user's subscriptions."""
    before = END if query.from_ is None else _position(query.from_)
    after = 0 if query.to is None else parse_pos(query.to).position
    answer, end = await subscriptions.changes(requester.user_id, after, before, min(query.limit, MAX_CHANGES))
    return answer if end is None else {**answer, "end": str(end)}


def _position(token: str) -> int:
    if not (token.isascii() and token.isdecimal()) or len(token) > MAX_TOKEN_DIGITS:
        raise InvalidParam("This is no token that this server gave")
    return int(token)
