"""Make accounts (spec: registration.yaml)."""

from typing import Any

import msgspec

from myelin.api.client.bodies import read
from myelin.api.client.token_requests import EmailToken, MsisdnToken, Session
from myelin.http.endpoint import Auth, Endpoints
from myelin.http.request import Request
from myelin.matrix.errors import InvalidParam, MissingParam
from myelin.services.accounts.contacts import Contacts
from myelin.services.accounts.guest_upgrade import GuestUpgrade
from myelin.services.accounts.registration import RegistrationService
from myelin.services.accounts.registration_tokens import STAGE as TOKEN_STAGE
from myelin.services.accounts.sessions import NewDevice, SignedIn
from myelin.services.accounts.uia import InteractiveAuth, Operation
from myelin.services.accounts.uia_stages import proofs_in
from myelin.services.appservices.accounts import LOGIN_TYPE, AppserviceAccounts

endpoints = Endpoints(group="login", auth=Auth.NONE)


class RegisterBody(msgspec.Struct, frozen=True):
    """What a client asks for."""

    username: str | None = None
    password: str | None = None
    device_id: str | None = None
    initial_device_display_name: str | None = None
    inhibit_login: bool = False
    guest_access_token: str | None = None
    refresh_token: bool = False

    def device(self) -> NewDevice | None:
        """The device to sign in, if any."""
        if self.inhibit_login:
            return None
        return NewDevice(self.device_id, self.initial_device_display_name, self.refresh_token)


class RegisterQuery(msgspec.Struct, frozen=True):
    """The kind of account."""

    kind: str = "user"


class Registered(msgspec.Struct, frozen=True, omit_defaults=True):
    """A new account, and its first session unless none was wanted."""

    user_id: str
    home_server: str
    device_id: str | None = None
    access_token: str | None = None
    refresh_token: str | None = None
    expires_in_ms: int | None = None


class Available(msgspec.Struct, frozen=True):
    """The name can be had."""

    available: bool = True


class AvailableQuery(msgspec.Struct, frozen=True):
    """The name asked for."""

    username: str


@endpoints.endpoint("POST /_matrix/client/v3/register", limit="general")
async def register(
    request: Request,
    registration: RegistrationService,
    uia: InteractiveAuth,
    upgrades: GuestUpgrade,
    contacts: Contacts,
    appservices: AppserviceAccounts,
    query: RegisterQuery,
    body: dict[str, Any],
) -> Registered:
    """Make an account, or a guest account."""
    address = request.client_address
    if body.get("type") == LOGIN_TYPE:
        return await _register_for_appservice(request, appservices, read(RegisterBody, body))
    if query.kind == "guest":
        device = NewDevice(display_name=read(RegisterBody, body).initial_device_display_name)
        return _registered(await registration.register_guest(device, address=address))
    if query.kind != "user":
        raise InvalidParam("kind must be user or guest")
    flows = registration.flows()
    asked = read(RegisterBody, body)
    if asked.guest_access_token is not None:
        return await _upgrade_guest(request, registration, upgrades, contacts, uia, body)
    await registration.check_name(asked.username)
    passed = await uia.check(Operation("POST", "/register", address), body, flows)
    wanted = read(RegisterBody, passed.body)
    user_id = await registration.check_name(wanted.username)
    token = passed.results.get(TOKEN_STAGE)
    made = await registration.register(
        user_id,
        wanted.password,
        wanted.device(),
        address=address,
        registration_token=token,
        proofs=proofs_in(passed.results),
    )
    return _registered(made) if made is not None else Registered(user_id, _server(user_id))


@endpoints.endpoint("GET /_matrix/client/v3/register/available", limit="general")
async def check_username_availability(registration: RegistrationService, query: AvailableQuery) -> Available:
    """Say whether a user name can be registered."""
    registration.check_open()
    await registration.check_available(query.username)
    return Available()


async def _register_for_appservice(
    request: Request, appservices: AppserviceAccounts, wanted: RegisterBody
) -> Registered:
    by = appservices.of_request(request)
    user_id, made = await appservices.register(by, wanted.username, wanted.device())
    return _registered(made) if made is not None else Registered(user_id, _server(user_id))


async def _upgrade_guest(
    request: Request,
    registration: RegistrationService,
    upgrades: GuestUpgrade,
    contacts: Contacts,
    uia: InteractiveAuth,
    body: dict[str, Any],
) -> Registered:
    """The guest who has the token registers under the name they have; it must be repeated in the last request."""
    wanted = read(RegisterBody, body)
    if wanted.username is None:
        raise MissingParam("A guest who registers names themselves: username is missing")
    user_id = registration.user_id_of(wanted.username)
    await upgrades.check(user_id, wanted.guest_access_token or "")
    passed = await uia.check(Operation("POST", "/register", request.client_address), body, registration.flows())
    if TOKEN_STAGE in passed.results:
        await registration.use_token(passed.results[TOKEN_STAGE])
    await contacts.give(user_id, proofs_in(passed.results), "register")
    made = await upgrades.upgrade(user_id, wanted.password, wanted.device())
    return _registered(made) if made is not None else Registered(user_id, _server(user_id))


@endpoints.endpoint("POST /_matrix/client/v3/register/email/requestToken", limit="registration")
async def request_token_to_register_email(
    registration: RegistrationService, contacts: Contacts, body: EmailToken
) -> Session:
    """Prove a mail address, to make an account with it."""
    registration.check_open()
    return Session(
        await contacts.begin_validation("register", body.email, body.client_secret, body.send_attempt, body.next_link)
    )


@endpoints.endpoint("POST /_matrix/client/v3/register/msisdn/requestToken", limit="registration")
async def request_token_to_register_msisdn(
    registration: RegistrationService, contacts: Contacts, body: MsisdnToken
) -> Session:
    """Prove a phone number, to make an account with it."""
    registration.check_open()
    return Session(
        *await contacts.begin_phone_validation(
            "register", body.country, body.phone_number, body.client_secret, body.send_attempt
        )
    )


def _registered(made: SignedIn) -> Registered:
    tokens = made.tokens
    return Registered(
        made.user_id,
        _server(made.user_id),
        made.device_id,
        tokens.access_token,
        tokens.refresh_token,
        tokens.expires_in_ms,
    )


def _server(user_id: str) -> str:
    return user_id.partition(":")[2]
