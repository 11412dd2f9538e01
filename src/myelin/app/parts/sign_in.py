"""The sign-in service: OAuth 2.0 with its own pages, over the accounts and sessions of the server."""

from collections.abc import Mapping
from typing import Any

from myelin.app.ground import Ground
from myelin.app.parts.part import Part
from myelin.auth.account.own_sessions import OwnSessions
from myelin.auth.account.registering import Registering
from myelin.auth.account.sign_in import PasswordSignIn
from myelin.auth.browser.visitors import Visitors
from myelin.auth.endpoints import account, authorize, device, oauth2, register, sign_in
from myelin.auth.expiry import SignInExpiry
from myelin.auth.oauth2.addresses import Addresses
from myelin.auth.oauth2.authorizations import Authorizations
from myelin.auth.oauth2.clients import Clients
from myelin.auth.oauth2.code_exchange import CodeExchange
from myelin.auth.oauth2.device_authorization import DeviceAuthorizations
from myelin.auth.oauth2.id_tokens import IdTokens
from myelin.auth.oauth2.refreshing import Refreshing
from myelin.auth.oauth2.returning import Returning
from myelin.auth.oauth2.revocation import Revocation
from myelin.auth.oauth2.sealing import Seal
from myelin.auth.oauth2.server_metadata import ServerMetadata
from myelin.auth.oauth2.session_start import SessionStart
from myelin.auth.oauth2.token_keys import TokenKeys
from myelin.auth.oauth2.user_info import UserInfo
from myelin.auth.pages.rendering import Pages
from myelin.http.rate_limits import RateLimiter
from myelin.services.accounts.credentials import Credentials
from myelin.services.accounts.cross_signing_resets import CrossSigningResets
from myelin.services.accounts.discovery import Discovery
from myelin.services.accounts.passwords import PasswordService
from myelin.services.accounts.registration import RegistrationService
from myelin.services.accounts.registration_tokens import RegistrationTokens
from myelin.services.accounts.sessions import SessionService
from myelin.services.devices.devices import DeviceService
from myelin.services.mail.outbox import Outbox

ENDPOINTS = tuple(module.endpoints for module in (account, authorize, device, oauth2, register, sign_in))


def make_sign_in(ground: Ground, services: Mapping[type, Any]) -> Part:
    """Everything of the sign-in service; nothing where it is off."""
    if not ground.config.auth.enabled:
        return Part()
    at = Addresses(ground.config.auth_url)
    made: dict[type, Any] = {Addresses: at, RateLimiter: ground.limiter}
    _add_clients(ground, services, made, at)
    _add_pages(ground, services, made, at)
    services[Discovery].auth_metadata = made[ServerMetadata].document
    return Part(services=made, endpoints=ENDPOINTS, loops=[made[SignInExpiry].run])


def _add_clients(ground: Ground, services: Mapping[type, Any], made: dict[type, Any], at: Addresses) -> None:
    """What clients speak to."""
    config, database, clock, randomness = ground.config.auth, ground.database, ground.clock, ground.randomness
    sessions, devices = services[SessionService], services[DeviceService]
    keys = TokenKeys(database, Seal(ground.signing_key), clock, randomness)
    clients = Clients(database, is_open=config.client_registration == "open", clock=clock, randomness=randomness)
    start = SessionStart(database, sessions, devices)
    made[TokenKeys] = keys
    made[Clients] = clients
    made[ServerMetadata] = ServerMetadata(at)
    made[Authorizations] = Authorizations(config, database, clients, clock=clock, randomness=randomness)
    made[CodeExchange] = CodeExchange(database, start, IdTokens(at.issuer, keys, clock), clock)
    made[Refreshing] = Refreshing(database, sessions, devices, clock)
    made[Revocation] = Revocation(database, devices)
    made[UserInfo] = UserInfo(database)
    made[DeviceAuthorizations] = DeviceAuthorizations(
        database, clients, start, lifetime_ms=config.device_code_lifetime_ms, clock=clock, randomness=randomness
    )


def _add_pages(ground: Ground, services: Mapping[type, Any], made: dict[type, Any], at: Addresses) -> None:
    """What people see."""
    config, database = ground.config, ground.database
    made[Pages] = Pages(config.branding, ground.server_name)
    made[Returning] = Returning(at.issuer)
    made[Visitors] = Visitors(
        at.base,
        database,
        lifetime_ms=config.auth.browser_session_lifetime_ms,
        clock=ground.clock,
        randomness=ground.randomness,
    )
    made[PasswordSignIn] = PasswordSignIn(services[Credentials], ground.limiter)
    made[OwnSessions] = OwnSessions(database, services[DeviceService], made[Clients])
    made[Registering] = Registering(
        config.registration,
        database,
        services[RegistrationService],
        services[RegistrationTokens],
        services[PasswordService],
        services[Outbox] if config.mail.smtp_host else None,
        ground.limiter,
        has_terms=bool(config.branding.terms_url or config.registration.terms),
        clock=ground.clock,
        randomness=ground.randomness,
    )
    made[SignInExpiry] = SignInExpiry(
        database,
        made[Visitors],
        made[Authorizations],
        made[DeviceAuthorizations],
        made[Registering],
        services[CrossSigningResets],
        ground.clock,
    )
