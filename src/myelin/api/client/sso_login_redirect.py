"""Signing in at another place (spec: sso_login_redirect.yaml): this server has no identity provider."""

from typing import Literal

import msgspec

from myelin.http.endpoint import Auth, Endpoints
from myelin.http.page import page
from myelin.http.request import Request
from myelin.http.response import Response
from myelin.matrix.errors import NotFound

endpoints = Endpoints(group="login", auth=Auth.NONE)


class RedirectQuery(msgspec.Struct, frozen=True):
    """Where the browser goes in the end."""

    redirect_url: str = msgspec.field(name="redirectUrl")
    action: Literal["login", "register"] = "login"


@endpoints.endpoint("GET /_matrix/client/v3/login/sso/redirect", limit="general", name="redirect_to_sso")
async def redirect_to_sso(request: Request, query: RedirectQuery) -> Response:  # noqa: ARG001  (checked all the same)
    """Send the browser to the identity provider."""
    return _no_provider(request, "This server has no single sign-on. Sign in with your user name and password.")


@endpoints.endpoint("GET /_matrix/client/v3/login/sso/redirect/{idp_id}", limit="general", name="redirect_to_idp")
async def redirect_to_idp(request: Request, query: RedirectQuery, idp_id: str) -> Response:  # noqa: ARG001  (none is known)
    """Send the browser to a certain identity provider."""
    return _no_provider(request, "This server does not know the identity provider. Go back and choose another way.")


def _no_provider(request: Request, message: str) -> Response:
    """A page for a person with a browser, an error for a program."""
    if "text/html" not in request.headers.get("Accept", ""):
        raise NotFound(message)
    return page("You cannot sign in this way", f"<p>{message}</p>", status=404)
