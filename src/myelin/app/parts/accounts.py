"""Accounts: registration, login, sessions, devices, profiles, filters, and what the server says of itself."""

from collections.abc import Mapping
from typing import Any

from myelin.api.client import login, registration, whoami
from myelin.app.ground import Ground
from myelin.app.parts.part import Part
from myelin.http.kernel import Authenticator
from myelin.services.accounts.authenticator import TokenAuthenticator
from myelin.services.accounts.credentials import Credentials
from myelin.services.accounts.last_seen import LastSeen
from myelin.services.accounts.login import LoginService
from myelin.services.accounts.passwords import PasswordService
from myelin.services.accounts.ports import (
    DeactivationListeners,
    ProfileListeners,
    RemoteProfileSources,
    ReservedUserNamespaces,
)
from myelin.services.accounts.registration import RegistrationService
from myelin.services.accounts.registration_tokens import RegistrationTokens
from myelin.services.accounts.sessions import SessionService
from myelin.services.accounts.uia import InteractiveAuth
from myelin.services.accounts.uia_stages import DummyStage, PasswordStage, RegistrationTokenStage
from myelin.services.devices.devices import DeviceService
from myelin.services.devices.ports import DeviceRemovals, DeviceRenames


def make_accounts(ground: Ground, services: Mapping[type, Any]) -> Part:  # noqa: ARG001  (a MakePart)
    """Everything about who somebody is."""
    config, database, clock, randomness = ground.config, ground.database, ground.clock, ground.randomness
    last_seen = LastSeen(database, clock)
    authenticator = TokenAuthenticator(database, ground.committer, ground.feed, last_seen, clock)
    passwords = PasswordService(config.passwords)
    sessions = SessionService(config.sessions, database, ground.committer, authenticator, clock, randomness)
    credentials = Credentials(database, passwords, ground.limiter, ground.server_name)
    tokens = RegistrationTokens(database, clock, randomness)
    removals, renames, reserved = DeviceRemovals(), DeviceRenames(), ReservedUserNamespaces()
    devices = DeviceService(database, ground.committer, last_seen, removals, renames)
    stages = {
        "m.login.dummy": DummyStage(),
        "m.login.password": PasswordStage(credentials),
        "m.login.registration_token": RegistrationTokenStage(tokens),
    }
    uia = InteractiveAuth(
        database, stages, lifetime_ms=config.sessions.uia_session_lifetime_ms, clock=clock, randomness=randomness
    )
    register = RegistrationService(
        config.registration,
        ground.server_name,
        database,
        sessions,
        passwords,
        reserved,
        ground.limiter,
        clock,
        randomness,
    )
    sign_in = LoginService(database, sessions, credentials, ground.limiter, config.sessions, clock, randomness)
    return Part(
        services={
            Authenticator: authenticator,
            DeviceService: devices,
            DeviceRemovals: removals,
            DeviceRenames: renames,
            ReservedUserNamespaces: reserved,
            InteractiveAuth: uia,
            LoginService: sign_in,
            RegistrationService: register,
            RegistrationTokens: tokens,
            SessionService: sessions,
            PasswordService: passwords,
            ProfileListeners: ProfileListeners(),
            RemoteProfileSources: RemoteProfileSources(),
            DeactivationListeners: DeactivationListeners(),
        },
        endpoints=[login.endpoints, registration.endpoints, whoami.endpoints],
        loops=[last_seen.run],
        close=[last_seen.flush, passwords.close],
    )
