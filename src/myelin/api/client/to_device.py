"""Messages from device to device (spec: to_device.yaml)."""

from typing import Any

from myelin.http.endpoint import Auth, Endpoints
from myelin.http.requester import Requester
from myelin.http.response import Empty
from myelin.matrix.errors import MissingParam
from myelin.services.e2ee.to_device import ToDevice

endpoints = Endpoints(group="to_device")


@endpoints.endpoint(
    "PUT /_matrix/client/v3/sendToDevice/{event_type}/{txn_id}",
    also=("/_matrix/client/unstable/sendToDevice/{event_type}/{txn_id}",),
    auth=Auth.GUEST,
    limit="to_device",
)
async def send_to_device(
    requester: Requester, to_device: ToDevice, event_type: str, txn_id: str, body: dict[str, Any]
) -> Empty:
    """Send messages to devices."""
    if "messages" not in body:
        raise MissingParam("messages is missing")
    await to_device.send(requester, event_type, txn_id, body["messages"])
    return Empty()
