"""Where a client sends its user, and where the user answers (RFC 6749, section 4.1)."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from aiohttp import web

from myelin.auth.browser.visitors import FormRejected, Visitors
from myelin.auth.endpoints.moving import moved
from myelin.auth.endpoints.refusals import rejected, too_late
from myelin.auth.oauth2.addresses import Addresses
from myelin.auth.oauth2.authorization_request import read_authorization_request, read_return_address
from myelin.auth.oauth2.authorizations import Asked, Authorizations
from myelin.auth.oauth2.clients import Clients
from myelin.auth.oauth2.errors import OAuthError
from myelin.auth.oauth2.returning import Returning, origin_of
from myelin.auth.pages.forms import fields_of, read_form
from myelin.auth.pages.languages import language_of
from myelin.auth.pages.rendering import Pages
from myelin.http.endpoint import Auth, Endpoints
from myelin.http.request import Request
from myelin.http.response import Response
from myelin.matrix.errors import InvalidParam, MatrixError, NotFound

endpoints = Endpoints(group="auth", auth=Auth.NONE)


@endpoints.endpoint("GET /auth/authorize", limit="general")
async def authorize(
    request: Request, clients: Clients, grants: Authorizations, back: Returning, at: Addresses, pages: Pages
) -> Response:
    """Take a client's request, and lead to the page that puts it to the user."""
    try:
        fields = fields_of(request.target.partition("?")[2])
    except InvalidParam as error:
        return _broken(pages, request, error.message)
    return await _authorize(request, fields, clients, grants, back, at, pages)


@endpoints.endpoint("POST /auth/authorize", limit="general")
async def authorize_by_form(
    request: Request, clients: Clients, grants: Authorizations, back: Returning, at: Addresses, pages: Pages
) -> Response:
    """The same, for clients that send a form (OpenID Connect Core, section 3.1.2.1)."""
    try:
        fields = await read_form(request)
    except MatrixError as error:
        return _broken(pages, request, error.message)
    return await _authorize(request, fields, clients, grants, back, at, pages)


async def _authorize(
    request: Request,
    fields: Mapping[str, str],
    clients: Clients,
    grants: Authorizations,
    back: Returning,
    at: Addresses,
    pages: Pages,
) -> Response:
    try:
        client = await clients.client(fields.get("client_id"))
        return_address = read_return_address(fields, client)
    except OAuthError as error:
        # Nobody is known to whom this could be told: only the user sees it.
        return _broken(pages, request, error.description)
    try:
        asked = read_authorization_request(fields, client, return_address)
    except OAuthError as error:
        return back.with_error(return_address, error.code, error.description)
    grant_id = await grants.ask(client, asked)
    consent = at.consent(grant_id)
    return moved(at.register(consent) if "create" in asked.prompt else consent)


@endpoints.endpoint("GET /auth/consent/{grant_id}", limit="general")
async def show_consent(
    request: Request,
    visitors: Visitors,
    grants: Authorizations,
    back: Returning,
    at: Addresses,
    pages: Pages,
    grant_id: str,
) -> Response:
    """Ask the user, who signs in first."""
    visitor = await visitors.visitor(request)
    try:
        asked = await grants.asked(grant_id)
    except (NotFound, OAuthError):
        return too_late(pages, visitor)
    if grants.needs_sign_in(asked, visitor):
        if "none" in asked.request.prompt:
            await grants.end(asked)
            return back.with_error(asked.request.back, "login_required", "Nobody is signed in")
        return moved(at.login(at.consent(grant_id)))
    if "none" in asked.request.prompt:
        await grants.end(asked)
        return back.with_error(asked.request.back, "consent_required", "The user must be asked")
    shown = pages.show(
        "consent",
        visitor.language,
        "Allow access to your account?",
        form_targets=[origin_of(asked.request.back.redirect_uri)],
        client=asked.client,
        client_name=asked.client.name(visitor.language),
        returns_to=_returns_to(asked),
        user_id=visitor.user_id,
        form_token=visitor.form_token,
        switch=at.login(at.consent(grant_id)),
    )
    return visitors.remember(shown, visitor)


@endpoints.endpoint("POST /auth/consent/{grant_id}", limit="general")
async def take_consent(
    request: Request,
    visitors: Visitors,
    grants: Authorizations,
    back: Returning,
    at: Addresses,
    pages: Pages,
    grant_id: str,
) -> Response:
    """Send the user back to the client with the answer."""
    visitor = await visitors.visitor(request)
    try:
        form = await read_form(request)
        visitors.check_user_form(request, visitor, form.get("form_token", ""))
        asked = await grants.asked(grant_id)
        if grants.needs_sign_in(asked, visitor):
            return moved(at.login(at.consent(grant_id)))
        if form.get("answer") == "allow":
            return back.with_code(asked.request.back, await grants.allow(asked, visitor))
        await grants.end(asked)
    except FormRejected:
        return rejected(pages, visitor)
    except (NotFound, OAuthError):
        return too_late(pages, visitor)
    return back.with_error(asked.request.back, "access_denied", "The user has refused")


def _broken(pages: Pages, request: Request, why: str) -> web.Response:
    language = language_of(request.headers.get("Accept-Language", ""))
    return pages.show("broken_request", language, "The app made a mistake", status=400, why=why)


def _returns_to(asked: Asked) -> str:
    """Where the browser goes next, as a person would say it."""
    parts = urlsplit(asked.request.back.redirect_uri)
    return parts.netloc or f"{parts.scheme}:"
