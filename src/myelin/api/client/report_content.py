"""Reports to the administrators (spec: report_content.yaml)."""

import msgspec

from myelin.http.endpoint import Endpoints
from myelin.http.requester import Requester
from myelin.http.response import Empty
from myelin.services.rooms.reports import Reports

endpoints = Endpoints(group="rooms")


class ReasonBody(msgspec.Struct, frozen=True):
    """What is wrong; it may be blank."""

    reason: str


class EventReportBody(msgspec.Struct, frozen=True):
    """What is wrong, if the reporter says so."""

    reason: str | None = None


@endpoints.endpoint("POST /_matrix/client/v3/rooms/{room_id}/report", limit="reports", unless_suspended=True)
async def report_room(requester: Requester, reports: Reports, room_id: str, body: ReasonBody) -> Empty:
    """Report a room."""
    await reports.report_room(requester.user_id, room_id, body.reason)
    return Empty()


@endpoints.endpoint(
    "POST /_matrix/client/v3/rooms/{room_id}/report/{event_id}",
    limit="reports",
    body_optional=True,
    unless_suspended=True,
)
async def report_event(
    requester: Requester, reports: Reports, room_id: str, event_id: str, body: EventReportBody
) -> Empty:
    """Report an event."""
    await reports.report_event(requester.user_id, room_id, event_id, body.reason or "")
    return Empty()


@endpoints.endpoint("POST /_matrix/client/v3/users/{user_id}/report", limit="reports", unless_suspended=True)
async def report_user(requester: Requester, reports: Reports, user_id: str, body: ReasonBody) -> Empty:
    """Report a user."""
    await reports.report_user(requester.user_id, user_id, body.reason)
    return Empty()
