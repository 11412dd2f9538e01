"""Devices (spec: device_management.yaml)."""

from typing import Any

import msgspec

from myelin.api.client.bodies import read
from myelin.http.endpoint import Auth, Endpoints
from myelin.http.request import Request
from myelin.http.requester import Requester
from myelin.http.response import Empty
from myelin.services.accounts.uia import InteractiveAuth, Operation
from myelin.services.devices.devices import DeviceService
from myelin.store.devices import Device

endpoints = Endpoints(group="devices")


class DeviceInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """A device as its user sees it."""

    device_id: str
    display_name: str | None = None
    last_seen_ts: int | None = None
    last_seen_ip: str | None = None


class DeviceList(msgspec.Struct, frozen=True):
    """All devices of a user."""

    devices: list[DeviceInfo]


class DeviceName(msgspec.Struct, frozen=True):
    """A new name."""

    display_name: str | None = None


class DeleteDevicesBody(msgspec.Struct, frozen=True):
    """The devices to delete."""

    devices: list[str]


@endpoints.endpoint("GET /_matrix/client/v3/devices", auth=Auth.GUEST)
async def get_devices(requester: Requester, devices: DeviceService) -> DeviceList:
    """List the user's devices."""
    return DeviceList([_info(device) for device in await devices.devices(requester.user_id)])


@endpoints.endpoint("GET /_matrix/client/v3/devices/{device_id}", auth=Auth.GUEST)
async def get_device(requester: Requester, devices: DeviceService, device_id: str) -> DeviceInfo:
    """Show one device."""
    return _info(await devices.device(requester.user_id, device_id))


@endpoints.endpoint("PUT /_matrix/client/v3/devices/{device_id}", auth=Auth.GUEST)
async def update_device(requester: Requester, devices: DeviceService, device_id: str, body: DeviceName) -> Empty:
    """Rename a device; an application service makes one that is not there."""
    if requester.appservice_id is not None and await devices.create(requester.user_id, device_id, body.display_name):
        return Empty()
    await devices.rename(requester.user_id, device_id, body.display_name)
    return Empty()


@endpoints.endpoint("DELETE /_matrix/client/v3/devices/{device_id}", body_optional=True)
async def delete_device(
    request: Request,
    requester: Requester,
    uia: InteractiveAuth,
    devices: DeviceService,
    device_id: str,
    body: dict[str, Any],
) -> Empty:
    """Delete a device and end its session."""
    if requester.appservice_id is None:
        path = f"/devices/{device_id}"
        await uia.confirm(
            Operation("DELETE", path, request.client_address, requester.user_id, requester.oauth_client), body
        )
    await devices.delete(requester.user_id, [device_id])
    return Empty()


@endpoints.endpoint("POST /_matrix/client/v3/delete_devices")
async def delete_devices(
    request: Request, requester: Requester, uia: InteractiveAuth, devices: DeviceService, body: dict[str, Any]
) -> Empty:
    """Delete several devices and end their sessions."""
    if requester.appservice_id is None:
        operation = Operation(
            "POST", "/delete_devices", request.client_address, requester.user_id, requester.oauth_client
        )
        body = dict((await uia.confirm(operation, body)).body)
    wanted = read(DeleteDevicesBody, body)
    await devices.delete(requester.user_id, (d for d in wanted.devices if "\0" not in d))
    return Empty()


def _info(device: Device) -> DeviceInfo:
    return DeviceInfo(device.device_id, device.display_name, device.last_seen_ts, device.last_seen_ip)
