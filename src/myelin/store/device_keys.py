"""The identity keys of devices."""

from typing import NamedTuple

from myelin.db.query import Store, query, statement
from myelin.db.sql import Statement


class DeviceKeysRow(NamedTuple):
    """A device that published keys, with the name its user gave it."""

    user_id: str
    device_id: str
    json: bytes
    display_name: str | None


class DeviceKeyStore(Store):
    """Reads the keys of devices that exist."""

    @query(
        "SELECT k.user_id, k.device_id, k.json, d.display_name FROM device_keys k"
        " JOIN devices d ON d.user_id = k.user_id AND d.device_id = k.device_id WHERE k.user_id IN :user_ids"
    )
    async def of_users(self, user_ids: list[str]) -> list[DeviceKeysRow]:
        """The keys of all devices of some users."""

    @query("SELECT json FROM device_keys WHERE user_id = :user_id AND device_id = :device_id")
    async def of_device(self, user_id: str, device_id: str) -> bytes | None:
        """The keys of one device."""

    @query("SELECT user_id, device_id FROM devices WHERE user_id IN :user_ids")
    async def devices(self, user_ids: list[str]) -> list[tuple[str, str]]:
        """`(user_id, device_id)` of every device of some users, with keys or without."""


@statement(
    "INSERT INTO device_keys (user_id, device_id, json) VALUES (:user_id, :device_id, :json)"
    " ON CONFLICT (user_id, device_id) DO UPDATE SET json = excluded.json"
)
def put_device_keys(user_id: str, device_id: str, json: bytes) -> Statement:
    """Publish a device's keys."""


@statement("DELETE FROM device_keys WHERE user_id = :user_id AND device_id = :device_id")
def delete_device_keys(user_id: str, device_id: str) -> Statement:
    """Withdraw a device's keys."""
