"""The devices of our users, for other servers (spec: user_devices.yaml)."""

from typing import Any

from myelin.http.endpoint import Auth, Endpoints
from myelin.services.federation.edus.our_devices import OurDevices

endpoints = Endpoints(group="federation", auth=Auth.SERVER)


@endpoints.endpoint("GET /_matrix/federation/v1/user/devices/{user_id}")
async def get_user_devices(devices: OurDevices, user_id: str) -> dict[str, Any]:
    """Tell all devices of a user, and their keys."""
    return await devices.of(user_id)
