"""Whether a name and a password belong together."""

from collections.abc import Mapping
from typing import Any

from myelin.db.connection import Database
from myelin.http.rate_limits import RateLimiter
from myelin.matrix.errors import BadJson, MatrixError, MissingParam
from myelin.matrix.identifiers import is_user_id
from myelin.services.accounts.contacts import Contacts
from myelin.services.accounts.passwords import PasswordService
from myelin.services.identity.third_party_addresses import MSISDN, msisdn_of
from myelin.store.users import User, UserStore

_NOT_OURS = ""


class Credentials:
    """Checks passwords; a name without an account takes as long as a wrong password."""

    def __init__(
        self, database: Database, passwords: PasswordService, contacts: Contacts, limiter: RateLimiter, server_name: str
    ) -> None:
        self._store = UserStore(database)
        self._passwords = passwords
        self._contacts = contacts
        self._limiter = limiter
        self._server_name = server_name

    def user_id_of(self, fields: Mapping[str, Any]) -> str:
        """The user that a login or an auth dict names, by `identifier` or the older `user`. "" if none of ours can be.

        Raises MissingParam, BadJson, or M_UNKNOWN for a kind of identifier that is not supported.
        """
        identifier = fields.get("identifier")
        if identifier is None:
            name = fields.get("user")
        elif not isinstance(identifier, dict):
            raise BadJson("identifier must be an object")
        elif identifier.get("type") == "m.id.user":
            name = identifier.get("user")
        elif identifier.get("type") in ("m.id.thirdparty", "m.id.phone"):
            return _NOT_OURS
        else:
            raise MatrixError("This kind of identifier is not supported", errcode="M_UNKNOWN")
        if name is None:
            raise MissingParam("The user's name is missing")
        if not isinstance(name, str):
            raise BadJson("The user's name must be a string")
        return self._full_id(name)

    async def user_named(self, fields: Mapping[str, Any]) -> str:
        """As `user_id_of`, where the name may also be a mail address or phone number of the user.

        Raises InvalidParam too.
        """
        identifier = fields.get("identifier")
        if not isinstance(identifier, dict):
            return self.user_id_of(fields)
        kind = identifier.get("type")
        if kind == "m.id.thirdparty":
            medium, address = identifier.get("medium"), identifier.get("address")
            if not isinstance(medium, str) or not isinstance(address, str):
                raise MissingParam("The identifier needs medium and address")
            return await self._contacts.user_of(medium, address) or _NOT_OURS
        if kind == "m.id.phone":
            # Some clients say `number`, as an early draft of the spec did.
            country, number = identifier.get("country"), identifier.get("phone", identifier.get("number"))
            if not isinstance(country, str) or not isinstance(number, str):
                raise MissingParam("The identifier needs country and phone")
            return await self._contacts.user_of(MSISDN, msisdn_of(country, number)) or _NOT_OURS
        return self.user_id_of(fields)

    async def has_password(self, user_id: str) -> bool:
        """Whether a user can sign in with a password at all."""
        user = await self._store.user(user_id)
        return user is not None and user.password_hash is not None

    async def check(self, user_id: str, password: str) -> User | None:
        """The user, whose password this is, or None; deactivated users have none.

        Raises LimitExceeded after too many failures.
        """
        user = await self._user(user_id)
        key = user.user_id if user is not None else user_id
        # Taken before and given back after: guesses in parallel count too.
        self._limiter.take("login_failed", key)
        hashed = user.password_hash if user is not None and not user.is_deactivated else None
        if not await self._passwords.verify(hashed, password):
            return None
        self._limiter.wait("login_failed", key, -1.0)
        assert user is not None
        assert hashed is not None
        if self._passwords.is_outdated(hashed):
            await self._store.renew_password_hash(user.user_id, hashed, await self._passwords.hash(password))
        return user

    async def _user(self, user_id: str) -> User | None:
        """The user of that exact name, else of the name in lower case, as new names are."""
        if not user_id:
            return None
        user = await self._store.user(user_id)
        if user is None and user_id != user_id.lower():
            return await self._store.user(user_id.lower())
        return user

    def _full_id(self, name: str) -> str:
        user_id = name if name.startswith("@") else f"@{name}:{self._server_name}"
        if not is_user_id(user_id) or user_id.partition(":")[2] != self._server_name:
            return _NOT_OURS
        return user_id
