"""Signing in at another place (spec: sso_login_redirect.yaml)."""

from typing import Literal
from urllib.parse import urlencode

import msgspec

from myelin.api.client.sso_pages import choice, redirect
from myelin.http.endpoint import Auth, Endpoints
from myelin.http.page import page
from myelin.http.request import Request
from myelin.http.response import Response
from myelin.matrix.errors import NotFound
from myelin.services.sso.cas import PROVIDER_ID as CAS
from myelin.services.sso.client_addresses import check_client_address
from myelin.services.sso.ports import Attempt, UpstreamProviders
from myelin.services.sso.sign_in import SsoSignIn

endpoints = Endpoints(group="login", auth=Auth.NONE)

REDIRECT = "/_matrix/client/v3/login/sso/redirect"


class RedirectQuery(msgspec.Struct, frozen=True):
    """Where the browser goes in the end."""

    redirect_url: str = msgspec.field(name="redirectUrl")
    action: Literal["login", "register"] = "login"

    def attempt(self) -> Attempt:
        """What the browser is sent away for."""
        return Attempt(redirect_url=self.redirect_url, is_registration=self.action == "register")


@endpoints.endpoint(f"GET {REDIRECT}", limit="general", name="redirect_to_sso")
async def redirect_to_sso(
    request: Request, providers: UpstreamProviders, sso: SsoSignIn, query: RedirectQuery
) -> Response:
    """Send the browser to the identity provider, or ask to which."""
    check_client_address(query.redirect_url)
    if not providers:
        return _no_provider(request, "This server has no single sign-on. Sign in with your user name and password.")
    if len(providers) > 1:
        again = urlencode({"redirectUrl": query.redirect_url, "action": query.action})
        return choice(providers, f"{REDIRECT}/", again)
    return redirect(await sso.depart(providers[0], query.attempt()), is_secure=sso.is_secure)


@endpoints.endpoint(f"GET {REDIRECT}/{{idp_id}}", limit="general", name="redirect_to_idp")
async def redirect_to_idp(
    request: Request, providers: UpstreamProviders, sso: SsoSignIn, query: RedirectQuery, idp_id: str
) -> Response:
    """Send the browser to a certain identity provider."""
    provider = providers.named(idp_id)
    if provider is None:
        return _no_provider(request, "This server does not know the identity provider. Go back and choose another way.")
    return redirect(await sso.depart(provider, query.attempt()), is_secure=sso.is_secure)


@endpoints.endpoint("GET /_matrix/client/v3/login/cas/redirect", limit="general")
async def redirect_to_cas(
    request: Request, providers: UpstreamProviders, sso: SsoSignIn, query: RedirectQuery
) -> Response:
    """Send the browser to the CAS server, for clients of before `m.login.sso`."""
    return await redirect_to_idp(request, providers, sso, query, CAS)


def _no_provider(request: Request, message: str) -> Response:
    """A page for a person with a browser, an error for a program."""
    if "text/html" not in request.headers.get("Accept", ""):
        raise NotFound(message)
    return page("You cannot sign in this way", f"<p>{message}</p>", status=404)
