"""Signing in at another place, from a client that asks for it until it gets a login token (spec: "SSO client
login/authentication")."""

from collections.abc import Sequence

import msgspec

from myelin.matrix.errors import Forbidden
from myelin.services.accounts.login import LoginService
from myelin.services.accounts.uia import InteractiveAuth
from myelin.services.accounts.uia_stages import SSO_STAGE
from myelin.services.sso.client_addresses import check_client_address, is_trusted, with_login_token
from myelin.services.sso.pending import PendingAttempts
from myelin.services.sso.ports import Attempt, UpstreamProvider, UpstreamUser
from myelin.services.sso.upstream_accounts import UpstreamAccounts


class Departure(msgspec.Struct, frozen=True):
    """Where to send a browser, and the cookie by which it is known when it comes back."""

    address: str
    cookie: str


class Arrival(msgspec.Struct, frozen=True):
    """A browser that is back from the provider."""

    user_id: str
    client_address: str = ""
    """Where the client waits, with the login token; empty where something was confirmed instead."""
    asks_first: bool = False
    """Whether the user must see the address, and agree, before the browser goes there."""


class SsoSignIn:
    """Sends browsers to providers, and takes them back."""

    def __init__(
        self,
        trusted_clients: Sequence[str],
        public_url: str,
        pending: PendingAttempts,
        accounts: UpstreamAccounts,
        login: LoginService,
        uia: InteractiveAuth,
    ) -> None:
        self._trusted = trusted_clients
        self.is_secure = public_url.startswith("https://")
        """Whether browsers reach this server by HTTPS, and only so may send the cookie."""
        self._pending = pending
        self._accounts = accounts
        self._login = login
        self._uia = uia

    async def depart(self, provider: UpstreamProvider, attempt: Attempt) -> Departure:
        """Begin an attempt. Raises InvalidParam for a client's address that cannot be one."""
        if attempt.redirect_url:
            check_client_address(attempt.redirect_url)
        return Departure(await provider.address(attempt), self._pending.cookie(attempt))

    async def arrive(self, upstream: UpstreamUser, attempt: Attempt, cookie: str, address: str) -> Arrival:
        """End an attempt, once the provider has vouched for somebody.

        A browser that did not begin it confirms nothing, and is shown where it would go and as whom: somebody else may
        have led it here. Raises what `UpstreamAccounts.user` does, Forbidden, InvalidParam or NotFound.
        """
        began_here = self._pending.began_here(attempt, cookie)
        if attempt.uia_session:
            if not began_here:
                raise Forbidden("This browser was not asked to confirm anything. Start again in your app.")
            user_id = await self._accounts.user(msgspec.structs.replace(upstream, new_accounts=False), address)
            await self._uia.vouch(attempt.uia_session, SSO_STAGE, user_id)
            return Arrival(user_id)
        check_client_address(attempt.redirect_url)
        user_id = await self._accounts.user(upstream, address)
        token, _ = await self._login.new_token(user_id)
        asks_first = not began_here or not is_trusted(attempt.redirect_url, self._trusted)
        return Arrival(user_id, with_login_token(attempt.redirect_url, token), asks_first)
