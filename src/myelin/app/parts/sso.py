"""Signing in at another place."""

from collections.abc import Mapping
from typing import Any

from myelin.api.client import cas, sso_login_redirect
from myelin.app.ground import Ground
from myelin.app.parts.part import Part
from myelin.http.client import HttpClient
from myelin.http.ssrf import AddressGuard
from myelin.services.accounts.login import LoginService
from myelin.services.accounts.profiles import ProfileService
from myelin.services.accounts.registration import RegistrationService
from myelin.services.accounts.uia import Confirmations, InteractiveAuth
from myelin.services.accounts.uia_stages import SSO_STAGE
from myelin.services.sso.cas import CasProvider
from myelin.services.sso.confirming import SsoConfirming
from myelin.services.sso.pending import PendingAttempts
from myelin.services.sso.ports import UpstreamProviders
from myelin.services.sso.sign_in import SsoSignIn
from myelin.services.sso.upstream_accounts import UpstreamAccounts

USER_AGENT = "Myelin"
REQUESTS_AT_ONCE = 16


def make_sso(ground: Ground, services: Mapping[type, Any]) -> Part:
    """The providers of the configuration; parts that are built later add theirs to `UpstreamProviders`."""
    config = ground.config
    # The configuration says where to connect to: that may well be a neighbour.
    client = HttpClient(
        AddressGuard(deny_private=False), user_agent=USER_AGENT, allow_http=True, limit_per_host=REQUESTS_AT_ONCE
    )
    accounts = UpstreamAccounts(
        ground.database, services[RegistrationService], services[ProfileService], ground.limiter, ground.clock
    )
    sso = SsoSignIn(
        config.sso.trusted_clients,
        config.public_url,
        PendingAttempts(ground.signing_key, ground.clock),
        accounts,
        services[LoginService],
        services[InteractiveAuth],
    )
    providers = UpstreamProviders()
    if config.cas.server_url:
        providers.append(CasProvider(config.cas, config.public_url, client))
    confirming = SsoConfirming(providers, sso, accounts, services[InteractiveAuth])
    services[Confirmations].others[SSO_STAGE] = confirming.can_confirm
    return Part(
        services={UpstreamProviders: providers, UpstreamAccounts: accounts, SsoSignIn: sso, SsoConfirming: confirming},
        endpoints=(sso_login_redirect.endpoints, cas.endpoints),
        close=[client.close],
    )
