"""What a user is signed in with: devices by their apps, and browsers."""

from typing import NamedTuple

from myelin.auth.oauth2.clients import Clients
from myelin.auth.oauth2.errors import OAuthError
from myelin.db.connection import Database
from myelin.services.devices.devices import DeviceService
from myelin.store.oauth_sessions import OAuthSessionStore


class OwnDevice(NamedTuple):
    """A device as its owner sees it."""

    device_id: str
    name: str
    app: str
    """The host that answers for the app; "" for one that took the password itself."""
    last_seen_ts: int | None
    last_seen_ip: str | None


class OwnSessions:
    """Lists and ends a user's sessions."""

    def __init__(self, database: Database, devices: DeviceService, clients: Clients) -> None:
        self._store = OAuthSessionStore(database)
        self._devices = devices
        self._clients = clients

    async def devices(self, user_id: str) -> list[OwnDevice]:
        """All devices, the last used first."""
        apps = {s.device_id: await self._app(s.client_id) for s in await self._store.sessions_of(user_id)}
        found = [
            OwnDevice(d.device_id, d.display_name or "", apps.get(d.device_id, ""), d.last_seen_ts, d.last_seen_ip)
            for d in await self._devices.devices(user_id)
        ]
        return sorted(found, key=lambda device: -(device.last_seen_ts or 0))

    async def end_device(self, user_id: str, device_id: str) -> None:
        """Sign a device out; one that is none of the user's is passed over."""
        if "\0" not in device_id:
            await self._devices.delete(user_id, [device_id])

    async def _app(self, client_id: str) -> str:
        try:
            return (await self._clients.client(client_id)).metadata.host
        except OAuthError:
            return ""
