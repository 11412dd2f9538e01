"""The pages to sign in and out at."""

from myelin.auth.account.registering import Registering
from myelin.auth.account.sign_in import PASSWORD, PasswordSignIn, SignInFailed
from myelin.auth.browser.visitor import Visitor
from myelin.auth.browser.visitors import FormRejected, Visitors
from myelin.auth.endpoints.moving import Then, moved, page_below
from myelin.auth.endpoints.refusals import rejected
from myelin.auth.oauth2.addresses import Addresses
from myelin.auth.pages.forms import read_form
from myelin.auth.pages.rendering import Pages
from myelin.http.endpoint import Auth, Endpoints
from myelin.http.request import Request
from myelin.http.response import Response

endpoints = Endpoints(group="auth", auth=Auth.NONE)

_TITLE = "Sign in to {service}"


@endpoints.endpoint("GET /auth/login", limit="general")
async def show_login(
    request: Request, visitors: Visitors, registering: Registering, at: Addresses, pages: Pages, query: Then
) -> Response:
    """Ask for name and password."""
    visitor = await visitors.visitor(request)
    return _form(visitors, registering, pages, at, visitor, query.then)


@endpoints.endpoint("POST /auth/login", limit="general")
async def take_login(
    request: Request,
    visitors: Visitors,
    sign_in: PasswordSignIn,
    registering: Registering,
    at: Addresses,
    pages: Pages,
) -> Response:
    """Sign the user in, and lead on."""
    visitor = await visitors.visitor(request)
    form = await read_form(request)
    name, then = form.get("name", ""), form.get("then", "")
    try:
        visitors.check_form(request, visitor, form.get("form_token", ""))
        user_id = await sign_in.user(name, form.get("password", ""), request.client_address)
    except FormRejected:
        return _form(
            visitors, registering, pages, at, visitor, then, name, "The page was too old. Please try again.", 403
        )
    except SignInFailed as failure:
        return _form(visitors, registering, pages, at, visitor, then, name, str(failure), 403)
    visitor = await visitors.sign_in(request, visitor, user_id, PASSWORD)
    return visitors.remember(moved(page_below(at.base, then) or at.account), visitor)


@endpoints.endpoint("POST /auth/logout", limit="general")
async def take_logout(request: Request, visitors: Visitors, at: Addresses, pages: Pages) -> Response:
    """Sign the browser out; apps stay signed in."""
    visitor = await visitors.visitor(request)
    try:
        visitors.check_form(request, visitor, (await read_form(request)).get("form_token", ""))
    except FormRejected:
        return rejected(pages, visitor)
    return visitors.remember(moved(at.login()), await visitors.sign_out(visitor))


def _form(
    visitors: Visitors,
    registering: Registering,
    pages: Pages,
    at: Addresses,
    visitor: Visitor,
    then: str,
    name: str = "",
    problem: str = "",
    status: int = 200,
) -> Response:
    known = page_below(at.base, then) or ""
    values = {"then": known, "name": name, "problem": problem, "form_token": visitor.form_token}
    values["register"] = at.register(known) if registering.is_open else ""
    return visitors.remember(pages.show("login", visitor.language, _TITLE, status=status, **values), visitor)
