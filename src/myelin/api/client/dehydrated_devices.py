"""Dehydrated devices (MSC3814)."""

from typing import Any

import msgspec
import orjson

from myelin.http.endpoint import Endpoints
from myelin.http.requester import Requester
from myelin.services.e2ee.dehydrated_devices import DehydratedDevices

endpoints = Endpoints(group="e2ee")

PATH = "/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device"


class DeviceId(msgspec.Struct, frozen=True):
    """The ID of the dehydrated device."""

    device_id: str


class BatchBody(msgspec.Struct, frozen=True):
    """Where to go on, as clients of before 2026 say it."""

    next_batch: str | None = None


class BatchQuery(msgspec.Struct, frozen=True, rename={"since": "from"}):
    """Where to go on."""

    since: str = ""


@endpoints.endpoint(f"PUT {PATH}", limit="keys")
async def put_dehydrated_device(requester: Requester, devices: DehydratedDevices, body: dict[str, Any]) -> DeviceId:
    """Make a device the user's dehydrated device, in place of the one before."""
    return DeviceId(await devices.put(requester.user_id, body))


@endpoints.endpoint(f"GET {PATH}", limit="keys")
async def get_dehydrated_device(requester: Requester, devices: DehydratedDevices) -> dict[str, Any]:
    """Give what brings the dehydrated device to life."""
    device = await devices.get(requester.user_id)
    return {"device_id": device.device_id, "device_data": orjson.Fragment(device.device_data)}


@endpoints.endpoint(f"DELETE {PATH}", limit="keys")
async def delete_dehydrated_device(requester: Requester, devices: DehydratedDevices) -> DeviceId:
    """Delete the dehydrated device."""
    return DeviceId(await devices.delete(requester.user_id))


@endpoints.endpoint(f"GET {PATH}/{{device_id}}/events", limit="keys")
async def get_dehydrated_device_events(
    requester: Requester, devices: DehydratedDevices, device_id: str, query: BatchQuery
) -> dict[str, Any]:
    """Give messages of the dehydrated device; the last batch has no `next_batch`."""
    waiting = await devices.events(requester.user_id, device_id, query.since)
    more = {} if waiting.next_batch is None else {"next_batch": waiting.next_batch}
    return {"events": waiting.events, **more}


@endpoints.endpoint(f"POST {PATH}/{{device_id}}/events", limit="keys", body_optional=True)
async def post_dehydrated_device_events(
    requester: Requester, devices: DehydratedDevices, device_id: str, body: BatchBody
) -> dict[str, Any]:
    """Give messages as clients of before 2026 ask for them: these stop at the first empty batch."""
    waiting = await devices.events(requester.user_id, device_id, body.next_batch or "")
    return {"events": waiting.events, "next_batch": str(waiting.reached)}
