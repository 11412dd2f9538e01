"""Sign out by a token (RFC 7009; spec: "Token revocation")."""

from myelin.db.connection import Database
from myelin.services.accounts.tokens import token_hash
from myelin.services.devices.devices import DeviceService
from myelin.store.sessions import SessionStore


class Revocation:
    """Ends the session that a token belongs to, with its device."""

    def __init__(self, database: Database, devices: DeviceService) -> None:
        self._store = SessionStore(database)
        self._devices = devices

    async def revoke(self, token: str) -> None:
        """Sign the device out by either of its tokens; one that is not known is over already."""
        key = token_hash(token)
        found = await self._store.session(key) or await self._store.refreshable(key)
        if found is not None:
            await self._devices.delete(found.user_id, [found.device_id])
