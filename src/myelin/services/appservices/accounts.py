"""Accounts of application services: made without a password, signed in without one."""

import contextlib
from collections.abc import Mapping
from typing import Any

from myelin.http.request import Request
from myelin.matrix.errors import Exclusive, InvalidUsername, MissingParam, MissingToken, UnknownToken, UserInUse
from myelin.matrix.identifiers import is_user_id
from myelin.services.accounts.credentials import Credentials
from myelin.services.accounts.login import LoginService
from myelin.services.accounts.registration import NewAccount, RegistrationService
from myelin.services.accounts.sessions import NewDevice, SignedIn
from myelin.services.appservices.registration import Registration
from myelin.services.appservices.registry import Appservices

LOGIN_TYPE = "m.login.application_service"
_OUTSIDE = "The user is not in the application service's namespaces"


class AppserviceAccounts:
    """Makes users for application services, and signs them in."""

    def __init__(
        self,
        server_name: str,
        registry: Appservices,
        registration: RegistrationService,
        login: LoginService,
        credentials: Credentials,
    ) -> None:
        self._server_name = server_name
        self._registry = registry
        self._registration = registration
        self._login = login
        self._credentials = credentials
        self._with_sender: set[str] = set()
        registry.changed.append(self._with_sender.clear)

    def of_request(self, request: Request) -> Registration:
        """Which application service sends a request. Raises MissingToken or UnknownToken."""
        token = request.access_token
        if not token:
            raise MissingToken("An application service names itself by its as_token")
        registration = self._registry.of_token(token)
        if registration is None:
            raise UnknownToken("The token is no application service's", soft_logout=False)
        return registration

    async def register(
        self, by: Registration, username: str | None, device: NewDevice | None
    ) -> tuple[str, SignedIn | None]:
        """Make a user; their ID, and their session unless `device` is None.

        Raises MissingParam, InvalidUsername, Exclusive or UserInUse.
        """
        if username is None:
            raise MissingParam("username is missing")
        user_id = self._user_id(username)
        if not by.has_user(user_id):
            raise Exclusive(_OUTSIDE)
        account = NewAccount(user_id=user_id, appservice_id=by.appservice_id)
        return user_id, await self._registration.create(account, device)

    async def sign_in(self, by: Registration, names: Mapping[str, Any], device: NewDevice) -> SignedIn:
        """Sign a user in. Raises Exclusive, Forbidden, MissingParam, BadJson or UserDeactivated."""
        user_id = self._credentials.user_id_of(names)
        if not user_id or not by.has_user(user_id):
            raise Exclusive(_OUTSIDE)
        if user_id == by.sender:
            await self.have_sender(by)
        return await self._login.vouched_for(user_id, device)

    async def have_sender(self, registration: Registration) -> None:
        """Make the application service's own user, if that is not done yet."""
        name = registration.appservice_id
        if name in self._with_sender:
            return
        with contextlib.suppress(UserInUse):
            await self._registration.create(NewAccount(user_id=registration.sender, appservice_id=name), None)
        self._with_sender.add(name)

    def _user_id(self, username: str) -> str:
        """The ID of a user name, which may follow the historical grammar: bridges write nicknames as they are."""
        user_id = username if username.startswith("@") and ":" in username else f"@{username}:{self._server_name}"
        if not is_user_id(user_id) or user_id.partition(":")[2] != self._server_name or user_id.startswith("@:"):
            raise InvalidUsername("This cannot be the name of a user of this server")
        return user_id
