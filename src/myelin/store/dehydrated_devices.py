"""Each user's one device that nobody is signed in on."""

from typing import NamedTuple

from myelin.db.claims import ClaimSql
from myelin.db.query import Store, query, statement
from myelin.db.sql import Statement


class DehydratedDevice(NamedTuple):
    """A device, and as JSON what brings it to life."""

    device_id: str
    device_data: str


class DehydratedDeviceStore(Store):
    """Reads dehydrated devices."""

    @query(
        "SELECT h.device_id, h.device_data FROM dehydrated_devices h"
        " JOIN devices d ON d.user_id = h.user_id AND d.device_id = h.device_id WHERE h.user_id = :user_id"
    )
    async def of_user(self, user_id: str) -> DehydratedDevice | None:
        """A user's."""

    @query("SELECT device_id FROM dehydrated_devices WHERE user_id = :user_id")
    async def known(self, user_id: str) -> str | None:
        """The ID of the one that was made last, even if the device is deleted."""

    @query("DELETE FROM dehydrated_devices WHERE user_id = :user_id AND device_id IN :device_ids")
    async def forget(self, user_id: str, device_ids: list[str]) -> int:
        """Forget it if it is among these devices; how many there were."""


@statement("UPDATE dehydrated_devices SET device_id = :device_id, device_data = :device_data WHERE user_id = :user_id")
def put_dehydrated_device(user_id: str, device_id: str, device_data: str) -> Statement:
    """Set a user's dehydrated device, after `CLAIM_DEHYDRATED`."""


CLAIM_DEHYDRATED = ClaimSql(
    "CLAIM_DEHYDRATED",
    single="INSERT INTO dehydrated_devices (user_id, device_id, device_data) VALUES (:user_id, :device_id, '{}')"
    " ON CONFLICT (user_id) DO UPDATE SET device_id = excluded.device_id"
    " WHERE dehydrated_devices.device_id = excluded.device_id RETURNING user_id",
    bulk="INSERT INTO dehydrated_devices (user_id, device_id, device_data)"
    " SELECT n.*, '{}' FROM unnest(:user_id::text[], :device_id::text[]) AS n"
    " ON CONFLICT (user_id) DO UPDATE SET device_id = excluded.device_id"
    " WHERE dehydrated_devices.device_id = excluded.device_id RETURNING user_id",
    key=1,
)
"""Holds while the device is still the one that was read, empty where there was none."""
