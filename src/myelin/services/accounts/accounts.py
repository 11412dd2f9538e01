"""Accounts: change the password, end the account, lock and suspend it."""

from collections.abc import Callable

from myelin.bus.news import PushersChanged, SessionsEnded
from myelin.db.committer import Committer, Write
from myelin.db.connection import Database
from myelin.db.sql import Statement
from myelin.matrix.errors import Forbidden, InvalidParam, NotFound
from myelin.matrix.identifiers import is_user_id
from myelin.services.accounts.passwords import PasswordService
from myelin.services.accounts.ports import DeactivationListeners, DeviceDeletion
from myelin.store.account_data import delete_account_data
from myelin.store.erasure import put_erased
from myelin.store.profiles import delete_profile
from myelin.store.pushers import delete_pushers_of_user
from myelin.store.sessions import end_sessions_of_user
from myelin.store.signals import put_profile_changed, put_pushers_changed, put_sessions_ended
from myelin.store.third_party_ids import delete_third_party_ids
from myelin.store.users import (
    User,
    UserStore,
    deactivate_user,
    put_admin,
    put_locked,
    put_password_hash,
    put_suspended,
)


class AccountService:
    """Changes accounts; every process hears of changed rights before the call returns or soon after."""

    def __init__(
        self,
        database: Database,
        committer: Committer,
        passwords: PasswordService,
        devices: DeviceDeletion,
        deactivation: DeactivationListeners,
        server_name: str,
    ) -> None:
        self._store = UserStore(database)
        self._committer = committer
        self._passwords = passwords
        self._devices = devices
        self._deactivation = deactivation
        self._server_name = server_name

    async def user(self, user_id: str) -> User:
        """An account in use. Raises InvalidParam for a user of another server, NotFound."""
        if not is_user_id(user_id) or user_id.partition(":")[2] != self._server_name:
            raise InvalidParam("The user does not belong to this server")
        user = await self._store.user(user_id)
        if user is None or user.is_deactivated:
            raise NotFound("There is no such user")
        return user

    async def check_new_password(self, password: str) -> None:
        """Raises M_WEAK_PASSWORD, before anything is used up that lets a password be set."""
        await self._passwords.check_strength(password, "")

    async def change_password(
        self, user_id: str, password: str, *, logout_devices: bool, keep_device: str | None = None
    ) -> None:
        """Set a password; with `logout_devices` sign out everywhere but on one device. Raises M_WEAK_PASSWORD."""
        await self._passwords.check_strength(password, user_id)
        hashed = await self._passwords.hash(password)
        change = put_password_hash(user_id, hashed)
        if logout_devices:
            await self._devices.delete_all(user_id, but=keep_device, also=[change])
        else:
            await self._committer.commit(Write(lambda _: [change]))

    async def deactivate(self, user_id: str, *, erase: bool) -> None:
        """End the account for good: nobody can sign in, and its name is not free again.

        With `erase`, what it wrote is shown redacted to who comes into its rooms from now on, and its data is deleted.
        """
        await self._committer.commit(
            Write(
                lambda position: [
                    deactivate_user(user_id, is_erased=int(erase)),
                    end_sessions_of_user(user_id),
                    delete_profile(user_id),
                    delete_third_party_ids(user_id),
                    delete_pushers_of_user(user_id),
                    put_sessions_ended(position, user_id, None),
                    put_profile_changed(position, user_id, ""),
                    put_pushers_changed(position, user_id),
                    *([put_erased(user_id, position), delete_account_data(user_id)] if erase else []),
                ],
                news=[SessionsEnded(user_id), PushersChanged(user_id)],
            )
        )
        await self._devices.delete_all(user_id)
        for listener in self._deactivation:
            await listener.deactivated(user_id, is_erased=erase)

    async def status(self, admin: str, user_id: str) -> User:
        """The account, for its locks. Raises Forbidden for another administrator's, InvalidParam, NotFound."""
        user = await self.user(user_id)
        if user.is_admin and user_id != admin:
            raise Forbidden("You cannot see this of another administrator")
        return user

    async def lock(self, admin: str, user_id: str, *, locked: bool) -> None:
        """Lock or unlock a user. Raises Forbidden for another administrator or oneself, InvalidParam, NotFound."""
        await self._check_may_moderate(admin, user_id)
        await self._change_rights(user_id, lambda: put_locked(user_id, is_locked=locked))

    async def suspend(self, admin: str, user_id: str, *, suspended: bool) -> None:
        """Suspend a user or let them act again. Raises Forbidden, InvalidParam, NotFound."""
        await self._check_may_moderate(admin, user_id)
        await self._change_rights(user_id, lambda: put_suspended(user_id, is_suspended=suspended))

    async def set_admin(self, user_id: str, *, is_admin: bool) -> None:
        """Make a user a server administrator, or no longer. Raises NotFound."""
        await self.user(user_id)
        await self._change_rights(user_id, lambda: put_admin(user_id, is_admin=is_admin))

    async def _check_may_moderate(self, admin: str, user_id: str) -> None:
        user = await self.user(user_id)
        if user_id == admin:
            raise Forbidden("You cannot do this to your own account")
        if user.is_admin:
            raise Forbidden("You cannot do this to another administrator")

    async def _change_rights(self, user_id: str, change: Callable[[], Statement]) -> None:
        """Sessions stay, but every process reads them again."""
        await self._committer.commit(
            Write(
                lambda position: [change(), put_sessions_ended(position, user_id, None)],
                news=[SessionsEnded(user_id)],
            )
        )
