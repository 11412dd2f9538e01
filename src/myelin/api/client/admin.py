"""Server administration in the client-server API (spec: admin.yaml)."""

from typing import Any

import msgspec

from myelin.http.endpoint import Auth, Endpoints
from myelin.http.requester import Requester
from myelin.matrix.errors import Forbidden
from myelin.services.accounts.accounts import AccountService
from myelin.services.devices.devices import DeviceService
from myelin.store.devices import Device

endpoints = Endpoints(group="admin", auth=Auth.ADMIN)


class Suspended(msgspec.Struct, frozen=True):
    """Whether an account is suspended."""

    suspended: bool


class Locked(msgspec.Struct, frozen=True):
    """Whether an account is locked."""

    locked: bool


@endpoints.endpoint("GET /_matrix/client/v3/admin/whois/{user_id}", auth=Auth.USER)
async def get_who_is(
    requester: Requester, accounts: AccountService, devices: DeviceService, user_id: str
) -> dict[str, Any]:
    """Show the devices of a user and where they were last seen; users may ask about themselves."""
    if requester.user_id != user_id and not requester.is_admin:
        raise Forbidden("Only a server administrator may ask about others")
    await accounts.user(user_id)
    found = await devices.devices(user_id)
    return {
        "user_id": user_id,
        "devices": {d.device_id: {"sessions": [{"connections": _connections(d)}]} for d in found},
    }


@endpoints.endpoint("GET /_matrix/client/v1/admin/suspend/{user_id}")
async def get_admin_suspend_user(requester: Requester, accounts: AccountService, user_id: str) -> Suspended:
    """Say whether an account is suspended."""
    return Suspended((await accounts.status(requester.user_id, user_id)).is_suspended)


@endpoints.endpoint("PUT /_matrix/client/v1/admin/suspend/{user_id}")
async def set_admin_suspend_user(
    requester: Requester, accounts: AccountService, user_id: str, body: Suspended
) -> Suspended:
    """Suspend an account, or let it act again."""
    await accounts.suspend(requester.user_id, user_id, suspended=body.suspended)
    return body


@endpoints.endpoint("GET /_matrix/client/v1/admin/lock/{user_id}")
async def get_admin_lock_user(requester: Requester, accounts: AccountService, user_id: str) -> Locked:
    """Say whether an account is locked."""
    return Locked((await accounts.status(requester.user_id, user_id)).is_locked)


@endpoints.endpoint("PUT /_matrix/client/v1/admin/lock/{user_id}")
async def set_admin_lock_user(requester: Requester, accounts: AccountService, user_id: str, body: Locked) -> Locked:
    """Lock an account, or unlock it."""
    await accounts.lock(requester.user_id, user_id, locked=body.locked)
    return body


def _connections(device: Device) -> list[dict[str, Any]]:
    if device.last_seen_ts is None:
        return []
    return [{"ip": device.last_seen_ip, "last_seen": device.last_seen_ts, "user_agent": device.last_seen_agent}]
