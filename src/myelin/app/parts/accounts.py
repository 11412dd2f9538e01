"""Accounts: registration, login, sessions, devices, profiles, filters, and what the server says of itself."""

from collections.abc import Mapping
from typing import Any

from myelin.api.client import (
    account_deactivation,
    admin,
    administrative_contact,
    auth_fallback,
    capabilities,
    device_management,
    filter,  # noqa: A004  (the spec's name of the file)
    login,
    login_token,
    logout,
    oauth_server_metadata,
    openid,
    password_management,
    policy_server,
    profile,
    refresh,
    registration,
    registration_tokens,
    sso_login_redirect,
    versions,
    wellknown,
    whoami,
)
from myelin.api.server import openid as server_openid
from myelin.app.ground import Ground
from myelin.app.parts.part import Part
from myelin.http.kernel import Authenticator
from myelin.services.accounts.accounts import AccountService
from myelin.services.accounts.authenticator import TokenAuthenticator
from myelin.services.accounts.cleanup import ExpiryCleanup
from myelin.services.accounts.contacts import Contacts
from myelin.services.accounts.credentials import Credentials
from myelin.services.accounts.cross_signing_resets import FLOWS as RESET_FLOWS
from myelin.services.accounts.cross_signing_resets import CrossSigningResets, ResetStage
from myelin.services.accounts.discovery import Discovery
from myelin.services.accounts.filters import FilterService
from myelin.services.accounts.guest_upgrade import GuestUpgrade
from myelin.services.accounts.last_seen import LastSeen
from myelin.services.accounts.login import LoginService
from myelin.services.accounts.openid import OpenIdService
from myelin.services.accounts.passwords import PasswordService
from myelin.services.accounts.ports import (
    DeactivationListeners,
    ProfileListeners,
    RemoteProfileSources,
    ReservedUserNamespaces,
)
from myelin.services.accounts.profiles import ProfileService
from myelin.services.accounts.registration import RegistrationService
from myelin.services.accounts.registration_tokens import RegistrationTokens
from myelin.services.accounts.sessions import SessionService
from myelin.services.accounts.uia import InteractiveAuth
from myelin.services.accounts.uia_stages import (
    EMAIL_STAGE,
    DummyStage,
    EmailStage,
    PasswordStage,
    RegistrationTokenStage,
    Stage,
)
from myelin.services.devices.devices import DeviceService
from myelin.services.devices.ports import DeviceRemovals, DeviceRenames
from myelin.services.mail.validations import Validations

ENDPOINTS = tuple(
    module.endpoints
    for module in (
        account_deactivation,
        admin,
        administrative_contact,
        auth_fallback,
        capabilities,
        device_management,
        filter,
        login,
        login_token,
        logout,
        oauth_server_metadata,
        openid,
        password_management,
        policy_server,
        profile,
        refresh,
        registration,
        registration_tokens,
        sso_login_redirect,
        versions,
        wellknown,
        whoami,
        server_openid,
    )
)


def make_accounts(ground: Ground, services: Mapping[type, Any]) -> Part:
    """Everything about who somebody is."""
    last_seen = LastSeen(ground.database, ground.clock)
    validations: Validations | None = services[Validations] if ground.config.mail.smtp_host else None
    passwords = PasswordService(ground.config.passwords)
    made: dict[type, Any] = {
        LastSeen: last_seen,
        PasswordService: passwords,
        **{kind: kind() for kind in (ProfileListeners, RemoteProfileSources, DeactivationListeners)},
        **{kind: kind() for kind in (ReservedUserNamespaces, DeviceRemovals, DeviceRenames)},
        Discovery: Discovery(ground.config),
        Contacts: Contacts(ground.database, validations, ground.clock),
    }
    made[Discovery].capabilities["m.3pid_changes"] = {"enabled": made[Contacts].sends_mail}
    _add_sign_in(ground, made, validations)
    _add_accounts(ground, made)
    return Part(
        services=made,
        endpoints=ENDPOINTS,
        loops=[last_seen.run, ExpiryCleanup(ground.database, ground.feed, ground.clock).run],
        close=[last_seen.flush, passwords.close],
    )


def _add_sign_in(ground: Ground, made: dict[type, Any], validations: Validations | None) -> None:
    """Who somebody is, and how they prove it."""
    config, database, clock, randomness = ground.config, ground.database, ground.clock, ground.randomness
    passwords = made[PasswordService]
    authenticator = TokenAuthenticator(database, ground.committer, ground.feed, made[LastSeen], clock)
    sessions = SessionService(config.sessions, database, ground.committer, authenticator, clock, randomness)
    credentials = Credentials(database, passwords, made[Contacts], ground.limiter, ground.server_name)
    tokens = RegistrationTokens(database, clock, randomness)
    made[CrossSigningResets] = CrossSigningResets(database, clock)
    made[Credentials] = credentials
    made[Authenticator] = authenticator
    made[SessionService] = sessions
    made[RegistrationTokens] = tokens
    made[InteractiveAuth] = InteractiveAuth(
        database,
        {**_stages(credentials, tokens, validations), **_reset_stages(config.auth_url)},
        lifetime_ms=config.sessions.uia_session_lifetime_ms,
        clock=clock,
        randomness=randomness,
    )
    made[LoginService] = LoginService(
        database, sessions, credentials, ground.limiter, config.sessions, clock, randomness
    )
    made[RegistrationService] = RegistrationService(
        config.registration,
        ground.server_name,
        database,
        sessions,
        passwords,
        made[ReservedUserNamespaces],
        made[Contacts],
        ground.limiter,
        clock,
        randomness,
    )


def _stages(credentials: Credentials, tokens: RegistrationTokens, validations: Validations | None) -> dict[str, Stage]:
    with_mail: dict[str, Stage] = {} if validations is None else {EMAIL_STAGE: EmailStage(validations)}
    return {
        **with_mail,
        "m.login.dummy": DummyStage(),
        "m.login.password": PasswordStage(credentials),
        "m.login.registration_token": RegistrationTokenStage(tokens),
    }


def _reset_stages(auth_url: str) -> dict[str, Stage]:
    stage = ResetStage(f"{auth_url}/auth/account/cross-signing")
    return {name: stage for (name,) in RESET_FLOWS}


def _add_accounts(ground: Ground, made: dict[type, Any]) -> None:
    """What belongs to somebody."""
    config, database, committer, clock = ground.config, ground.database, ground.committer, ground.clock
    devices = DeviceService(database, committer, made[LastSeen], made[DeviceRemovals], made[DeviceRenames], clock)
    made[DeviceService] = devices
    made[GuestUpgrade] = GuestUpgrade(database, committer, made[SessionService], made[PasswordService])
    made[AccountService] = AccountService(
        database, committer, made[PasswordService], devices, made[DeactivationListeners], ground.server_name
    )
    made[ProfileService] = ProfileService(
        database, committer, ground.server_name, made[ProfileListeners], made[RemoteProfileSources]
    )
    made[FilterService] = FilterService(database, clock, max_per_user=config.sync.max_filters_per_user)
    made[OpenIdService] = OpenIdService(database, config.sessions, clock, ground.randomness)
