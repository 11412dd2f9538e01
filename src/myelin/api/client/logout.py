"""Sign out (spec: logout.yaml)."""

from myelin.http.endpoint import Auth, Endpoints
from myelin.http.requester import Requester
from myelin.http.response import Empty
from myelin.services.devices.devices import DeviceService

endpoints = Endpoints(group="login", auth=Auth.GUEST)


@endpoints.endpoint("POST /_matrix/client/v3/logout", while_locked=True)
async def logout(requester: Requester, devices: DeviceService) -> Empty:
    """End this session, and delete its device."""
    if requester.device_id is not None:
        await devices.delete(requester.user_id, [requester.device_id])
    return Empty()


@endpoints.endpoint("POST /_matrix/client/v3/logout/all", while_locked=True)
async def logout_all(requester: Requester, devices: DeviceService) -> Empty:
    """End all of the user's sessions, and delete all devices."""
    await devices.delete_all(requester.user_id)
    return Empty()
