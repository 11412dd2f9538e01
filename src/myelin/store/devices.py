"""Devices: what a user calls them and when they were last seen; their keys are elsewhere."""

from typing import NamedTuple

from myelin.db.query import Store, query, statement
from myelin.db.sql import Statement


class Device(NamedTuple):
    """One of a user's devices."""

    device_id: str
    display_name: str | None
    last_seen_ts: int | None
    last_seen_ip: str | None
    last_seen_agent: str | None


class DeviceStore(Store):
    """The devices of users."""

    @query(
        "SELECT device_id, display_name, last_seen_ts, last_seen_ip, last_seen_agent FROM devices"
        " WHERE user_id = :user_id ORDER BY created_ts, device_id"
    )
    async def devices(self, user_id: str) -> list[Device]:
        """All devices of a user, the oldest first."""

    @query(
        "SELECT device_id, display_name, last_seen_ts, last_seen_ip, last_seen_agent FROM devices"
        " WHERE user_id = :user_id AND device_id = :device_id"
    )
    async def device(self, user_id: str, device_id: str) -> Device | None:
        """One device."""

    @query("SELECT device_id FROM devices WHERE user_id = :user_id AND device_id IN :device_ids ORDER BY device_id")
    async def existing(self, user_id: str, device_ids: list[str]) -> list[str]:
        """Those of the IDs that are devices of the user."""


@statement(
    "INSERT INTO devices (user_id, device_id, display_name, created_ts)"
    " VALUES (:user_id, :device_id, :display_name, :created_ts) ON CONFLICT (user_id, device_id) DO NOTHING"
)
def add_device(user_id: str, device_id: str, display_name: str | None, created_ts: int) -> Statement:
    """Make a device; one that is there keeps its name."""


@statement("UPDATE devices SET display_name = :display_name WHERE user_id = :user_id AND device_id = :device_id")
def put_device_name(user_id: str, device_id: str, display_name: str) -> Statement:
    """Rename a device."""


@statement("DELETE FROM devices WHERE user_id = :user_id AND device_id = :device_id")
def delete_device(user_id: str, device_id: str) -> Statement:
    """Forget a device."""


@statement(
    "UPDATE devices SET last_seen_ts = :ts, last_seen_ip = :ip, last_seen_agent = :agent"
    " WHERE user_id = :user_id AND device_id = :device_id"
)
def put_last_seen(user_id: str, device_id: str, ts: int, ip: str, agent: str) -> Statement:
    """Note when and from where a device was last active."""
