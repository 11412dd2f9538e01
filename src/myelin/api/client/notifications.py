"""What the user was notified of (spec: notifications.yaml)."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from myelin.api.client.reading_queries import position_of
from myelin.http.endpoint import Endpoints
from myelin.http.requester import Requester
from myelin.services.push.notified_events import NotifiedEvents
from myelin.services.rooms.tokens import page_token

endpoints = Endpoints(group="push")

DEFAULT_LIMIT = 20
MAX_LIMIT = 500


class NotificationsQuery(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """Query parameters of `GET /notifications`."""

    from_: str | None = None
    limit: Annotated[int, Meta(ge=1)] = DEFAULT_LIMIT
    only: str | None = None


@endpoints.endpoint("GET /_matrix/client/v3/notifications")
async def get_notifications(
    requester: Requester, notified: NotifiedEvents, query: NotificationsQuery
) -> dict[str, Any]:
    """List the events that the user was notified of, the newest first."""
    page = await notified.page(
        requester.user_id,
        requester.device_id,
        before=position_of(query.from_),
        limit=min(query.limit, MAX_LIMIT),
        only_highlights=query.only == "highlight",
    )
    answer: dict[str, Any] = {"notifications": page.notifications}
    if page.next_before is not None:
        answer["next_token"] = page_token(page.next_before)
    return answer
