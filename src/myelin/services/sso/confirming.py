"""Users confirm what they do by signing in once more (spec: "SSO during User-Interactive Authentication")."""

import msgspec

from myelin.matrix.errors import Forbidden
from myelin.services.accounts.uia import InteractiveAuth
from myelin.services.sso.ports import Attempt, UpstreamProvider, UpstreamProviders
from myelin.services.sso.sign_in import Departure, SsoSignIn
from myelin.services.sso.upstream_accounts import UpstreamAccounts


class Asked(msgspec.Struct, frozen=True):
    """What somebody is to confirm, and the way there."""

    wanted: str
    """Method and path of the request."""
    user_id: str
    provider: UpstreamProvider
    departure: Departure


class SsoConfirming:
    """Knows who can confirm by signing in again, and where."""

    def __init__(
        self, providers: UpstreamProviders, sso: SsoSignIn, accounts: UpstreamAccounts, uia: InteractiveAuth
    ) -> None:
        self.providers = providers
        self._sso = sso
        self._accounts = accounts
        self._uia = uia

    @property
    def is_secure(self) -> bool:
        """As `SsoSignIn.is_secure`."""
        return self._sso.is_secure

    async def can_confirm(self, user_id: str) -> bool:
        """Whether a user has signed in at a provider that is there."""
        return bool(self.providers) and await self._provider_of(user_id) is not None

    async def asked(self, session: str) -> Asked:
        """What an authentication is about. Raises NotFound for none, Forbidden for one of who signs in nowhere."""
        wanted, user_id = await self._uia.asked_for(session)
        provider = await self._provider_of(user_id)
        if provider is None:
            raise Forbidden("You do not sign in at another place. Confirm with your password in your app.")
        departure = await self._sso.depart(provider, Attempt(uia_session=session))
        return Asked(wanted, user_id, provider, departure)

    async def _provider_of(self, user_id: str) -> UpstreamProvider | None:
        known = await self._accounts.providers_of(user_id)
        return next((provider for provider in self.providers if provider.provider_id in known), None)
