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
    msisdn_codes,
    oauth_server_metadata,
    openid,
    password_management,
    policy_server,
    profile,
    refresh,
    registration,
    registration_tokens,
    versions,
    wellknown,
    whoami,
)
from myelin.api.client.auth_fallback import FallbackSettings
from myelin.api.server import openid as server_openid
from myelin.app.ground import Ground
from myelin.app.parts.part import Part
from myelin.config.config import Config
from myelin.http.client import HttpClient
from myelin.http.kernel import Authenticator
from myelin.http.ssrf import AddressGuard
from myelin.services.accounts.accounts import AccountService
from myelin.services.accounts.authenticator import TokenAuthenticator
from myelin.services.accounts.captcha import STAGE as CAPTCHA_STAGE
from myelin.services.accounts.captcha import Captchas
from myelin.services.accounts.cleanup import ExpiryCleanup
from myelin.services.accounts.contacts import Contacts, Proofs
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
from myelin.services.accounts.registration_tokens import STAGE as TOKEN_STAGE
from myelin.services.accounts.registration_tokens import RegistrationTokens
from myelin.services.accounts.sessions import SessionService
from myelin.services.accounts.uia import Confirmations, InteractiveAuth
from myelin.services.accounts.uia_stages import (
    DUMMY_STAGE,
    EMAIL_STAGE,
    MSISDN_STAGE,
    PASSWORD_STAGE,
    SSO_STAGE,
    TERMS_STAGE,
    CaptchaStage,
    DummyStage,
    PasswordStage,
    ProofStage,
    RegistrationTokenStage,
    SsoStage,
    Stage,
    TermsStage,
)
from myelin.services.devices.devices import DeviceService
from myelin.services.devices.ports import DeviceRemovals, DeviceRenames
from myelin.services.identity.bindings import Bindings
from myelin.services.identity.phone_validations import PhoneValidations
from myelin.services.mail.validations import Validations

USER_AGENT = "Myelin"
CAPTCHAS_AT_ONCE = 16

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
        msisdn_codes,
        oauth_server_metadata,
        openid,
        password_management,
        policy_server,
        profile,
        refresh,
        registration,
        registration_tokens,
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
    phones: PhoneValidations | None = services[PhoneValidations] if ground.config.identity.msisdn_delegate else None
    passwords = PasswordService(ground.config.passwords)
    # The configuration says where to connect to.
    outgoing = HttpClient(
        AddressGuard(deny_private=False), user_agent=USER_AGENT, allow_http=True, limit_per_host=CAPTCHAS_AT_ONCE
    )
    config = ground.config
    made: dict[type, Any] = {
        LastSeen: last_seen,
        PasswordService: passwords,
        **{kind: kind() for kind in (ProfileListeners, RemoteProfileSources, DeactivationListeners)},
        **{kind: kind() for kind in (ReservedUserNamespaces, DeviceRemovals, DeviceRenames)},
        Discovery: Discovery(ground.config),
        Contacts: Contacts(ground.database, validations, ground.clock, phones),
        Confirmations: Confirmations(),
        FallbackSettings: FallbackSettings(config.captcha, config.registration.terms),
    }
    made[DeactivationListeners].append(services[Bindings])
    made[Discovery].capabilities["m.3pid_changes"] = {"enabled": bool(made[Contacts].media)}
    if config.identity.default_server:
        made[Discovery].well_known_client["m.identity_server"] = {"base_url": config.identity.default_server}
    _add_sign_in(ground, made, {EMAIL_STAGE: validations, MSISDN_STAGE: phones}, outgoing)
    _add_accounts(ground, made)
    return Part(
        services=made,
        endpoints=ENDPOINTS,
        loops=[last_seen.run, ExpiryCleanup(ground.database, ground.feed, ground.clock).run],
        close=[last_seen.flush, passwords.close, outgoing.close],
    )


def _add_sign_in(
    ground: Ground, made: dict[type, Any], proofs: Mapping[str, Proofs | None], outgoing: HttpClient
) -> None:
    """Who somebody is, and how they prove it."""
    config, database, clock, randomness = ground.config, ground.database, ground.clock, ground.randomness
    passwords = made[PasswordService]
    authenticator = TokenAuthenticator(database, ground.committer, ground.feed, made[LastSeen], clock)
    sessions = SessionService(config.sessions, database, ground.committer, authenticator, clock, randomness)
    credentials = Credentials(database, passwords, made[Contacts], ground.limiter, ground.server_name)
    tokens = RegistrationTokens(database, clock, randomness)
    made[CrossSigningResets] = CrossSigningResets(database, clock)
    made[Credentials] = credentials
    made[Confirmations].has_password = credentials.has_password
    made[Authenticator] = authenticator
    made[SessionService] = sessions
    made[RegistrationTokens] = tokens
    made[InteractiveAuth] = InteractiveAuth(
        database,
        {**_stages(config, credentials, tokens, proofs, outgoing), **_reset_stages(config.auth_url)},
        made[Confirmations],
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


def _stages(
    config: Config,
    credentials: Credentials,
    tokens: RegistrationTokens,
    proofs: Mapping[str, Proofs | None],
    outgoing: HttpClient,
) -> dict[str, Stage]:
    """Every stage that can be taken here."""
    stages: dict[str, Stage] = {
        DUMMY_STAGE: DummyStage(),
        PASSWORD_STAGE: PasswordStage(credentials),
        TOKEN_STAGE: RegistrationTokenStage(tokens),
        SSO_STAGE: SsoStage(),
        **{stage: ProofStage(proven) for stage, proven in proofs.items() if proven is not None},
    }
    if config.captcha.public_key:
        stages[CAPTCHA_STAGE] = CaptchaStage(Captchas(config.captcha, outgoing))
    if config.registration.terms:
        stages[TERMS_STAGE] = TermsStage(config.registration.terms)
    return stages


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
