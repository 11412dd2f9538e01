"""Pinging an application service (spec: appservice_ping.yaml)."""

import msgspec

from myelin.http.endpoint import Endpoints
from myelin.http.requester import Requester
from myelin.http.response import Response, json_response
from myelin.services.appservices.ping import AppservicePing, BadPing

endpoints = Endpoints(group="appservices")


class PingBody(msgspec.Struct, frozen=True):
    """What the application service knows its ping by."""

    transaction_id: str | None = None


class Pinged(msgspec.Struct, frozen=True):
    """How long it took."""

    duration_ms: int


@endpoints.endpoint("POST /_matrix/client/v1/appservice/{appservice_id}/ping", body_optional=True)
async def ping_appservice(
    requester: Requester, pings: AppservicePing, appservice_id: str, body: PingBody
) -> Pinged | Response:
    """Have the server see whether it reaches the application service that asks."""
    try:
        return Pinged(await pings.ping(appservice_id, requester.appservice_id, body.transaction_id))
    except BadPing as error:
        # `status` in this answer is what the application service said.
        shown = {"errcode": error.errcode, "error": error.message, "status": error.answered, "body": error.body}
        return json_response(shown, 502)
