"""The session of a device, begun by a user's consent, and taken back when something is wrong with it."""

from myelin.auth.oauth2.clients import Client
from myelin.auth.oauth2.errors import invalid_grant
from myelin.auth.oauth2.scopes import Scope
from myelin.db.claims import Claim
from myelin.db.connection import Database
from myelin.services.accounts.sessions import MAX_DEVICE_NAME_CHARACTERS, Grantee, NewDevice, SessionService, SignedIn
from myelin.services.devices.devices import DeviceService
from myelin.store.oauth_sessions import OAuthSessionStore
from myelin.store.users import UserStore


class SessionStart:
    """Begins sessions for clients."""

    def __init__(self, database: Database, sessions: SessionService, devices: DeviceService) -> None:
        self._users = UserStore(database)
        self._store = OAuthSessionStore(database)
        self._sessions = sessions
        self._devices = devices

    async def begin(self, user_id: str, client: Client, scope: Scope, grantee: Grantee, once: Claim) -> SignedIn:
        """Sign the client in. Raises OAuthError for a user who may not, AlreadyDone where `once` does not hold."""
        user = await self._users.user(user_id)
        if user is None or user.is_deactivated or user.is_locked:
            raise invalid_grant("The account cannot sign in any more")
        name = client.name("en")[:MAX_DEVICE_NAME_CHARACTERS]
        device = NewDevice(scope.device_id, name, takes_refresh_tokens=True)
        return await self._sessions.begin(user_id, device, grantee=grantee, claims=[once])

    async def end_of_grant(self, grant_key: str) -> None:
        """Sign out the device that an authorization has signed in."""
        session = await self._store.session_of_grant(grant_key)
        if session is not None:
            await self._devices.delete(session.user_id, [session.device_id])
