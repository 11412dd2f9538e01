"""A guest becomes a user with a password, and keeps name, rooms and profile (spec: "Guest Access")."""

from myelin.bus.news import SessionsEnded
from myelin.db.committer import Committer, Write
from myelin.db.connection import Database
from myelin.matrix.errors import Forbidden, MissingParam
from myelin.services.accounts.passwords import PasswordService
from myelin.services.accounts.sessions import NewDevice, SessionService, SignedIn
from myelin.services.accounts.tokens import token_hash
from myelin.store.sessions import SessionStore
from myelin.store.signals import put_sessions_ended
from myelin.store.users import upgrade_guest


class GuestUpgrade:
    """Registers guests under the name that they have."""

    def __init__(
        self, database: Database, committer: Committer, sessions: SessionService, passwords: PasswordService
    ) -> None:
        self._store = SessionStore(database)
        self._committer = committer
        self._sessions = sessions
        self._passwords = passwords

    async def check(self, user_id: str, guest_access_token: str) -> None:
        """Raises Forbidden unless the token is that of the guest of this name."""
        session = await self._store.session(token_hash(guest_access_token))
        if session is None or session.user_id != user_id or session.kind != "guest":
            raise Forbidden("The guest_access_token is not that of the guest whose name is asked for")

    async def upgrade(self, user_id: str, password: str | None, device: NewDevice | None) -> SignedIn | None:
        """Set the password, and sign the user in unless `device` is None. Raises MissingParam or M_WEAK_PASSWORD."""
        if password is None:
            raise MissingParam("A password is needed")
        await self._passwords.check_strength(password, user_id)
        hashed = await self._passwords.hash(password)
        # Sessions stay, but every process reads anew that they are no guest's.
        await self._committer.commit(
            Write(
                lambda position: [upgrade_guest(user_id, hashed), put_sessions_ended(position, user_id, None)],
                news=[SessionsEnded(user_id)],
            )
        )
        return None if device is None else await self._sessions.begin(user_id, device)
