"""The pages on which an account is made."""

from myelin.auth.account.registering import Registering, StepFailed
from myelin.auth.account.sign_in import PASSWORD
from myelin.auth.browser.visitor import Visitor
from myelin.auth.browser.visitors import FormRejected, Visitors
from myelin.auth.endpoints.moving import Then, moved, page_below
from myelin.auth.endpoints.refusals import too_late
from myelin.auth.oauth2.addresses import Addresses
from myelin.auth.pages.forms import read_form
from myelin.auth.pages.rendering import Pages
from myelin.auth.store.account_drafts import AccountDraft
from myelin.http.endpoint import Auth, Endpoints
from myelin.http.request import Request
from myelin.http.response import Response
from myelin.matrix.errors import NotFound

endpoints = Endpoints(group="auth", auth=Auth.NONE)

TOO_OLD = "The page was too old. Please try again."


@endpoints.endpoint("GET /auth/register", limit="general")
async def show_register(
    request: Request, visitors: Visitors, registering: Registering, at: Addresses, pages: Pages, query: Then
) -> Response:
    """Ask for name and password."""
    visitor = await visitors.visitor(request)
    return _first(visitors, registering, at, pages, visitor, {"then": query.then})


@endpoints.endpoint("POST /auth/register", limit="general")
async def take_register(
    request: Request, visitors: Visitors, registering: Registering, at: Addresses, pages: Pages
) -> Response:
    """Begin an account, and lead to the next step."""
    visitor = await visitors.visitor(request)
    form = await read_form(request)
    then = page_below(at.base, form.get("then", "")) or ""
    try:
        visitors.check_form(request, visitor, form.get("form_token", ""))
        draft = await registering.draft(await registering.begin(form, then, request.client_address))
        if registering.asks_email:
            return moved(at.registering(draft.draft, "email"))
        user_id = await registering.finish(draft)
    except FormRejected:
        return _first(visitors, registering, at, pages, visitor, {**form, "problem": TOO_OLD})
    except StepFailed as failure:
        return _first(visitors, registering, at, pages, visitor, {**form, "problem": str(failure)})
    return await _done(request, visitors, at, visitor, draft, user_id)


@endpoints.endpoint("GET /auth/register/{draft}/email", limit="general")
async def show_register_email(
    request: Request, visitors: Visitors, registering: Registering, pages: Pages, draft: str
) -> Response:
    """Ask for a mail address."""
    visitor = await visitors.visitor(request)
    try:
        await registering.draft(draft)
    except NotFound:
        return too_late(pages, visitor)
    return _email(visitors, registering, pages, visitor)


@endpoints.endpoint("POST /auth/register/{draft}/email", limit="general")
async def take_register_email(
    request: Request, visitors: Visitors, registering: Registering, at: Addresses, pages: Pages, draft: str
) -> Response:
    """Send a code there, or go on without."""
    visitor = await visitors.visitor(request)
    form = await read_form(request)
    try:
        visitors.check_form(request, visitor, form.get("form_token", ""))
        found = await registering.draft(draft)
        if form.get("answer") == "skip":
            return await _done(request, visitors, at, visitor, found, await registering.finish(found))
        await registering.send_code(found, form.get("email", ""))
    except NotFound:
        return too_late(pages, visitor)
    except FormRejected:
        return _email(visitors, registering, pages, visitor, form.get("email", ""), TOO_OLD)
    except StepFailed as failure:
        return _email(visitors, registering, pages, visitor, form.get("email", ""), str(failure))
    return moved(at.registering(draft, "code"))


@endpoints.endpoint("GET /auth/register/{draft}/code", limit="general")
async def show_register_code(
    request: Request, visitors: Visitors, registering: Registering, at: Addresses, pages: Pages, draft: str
) -> Response:
    """Ask for the code of the mail."""
    visitor = await visitors.visitor(request)
    try:
        found = await registering.draft(draft)
    except NotFound:
        return too_late(pages, visitor)
    return _code(visitors, at, pages, visitor, found)


@endpoints.endpoint("POST /auth/register/{draft}/code", limit="general")
async def take_register_code(
    request: Request, visitors: Visitors, registering: Registering, at: Addresses, pages: Pages, draft: str
) -> Response:
    """Make the account."""
    visitor = await visitors.visitor(request)
    form = await read_form(request)
    try:
        found = await registering.draft(draft)
    except NotFound:
        return too_late(pages, visitor)
    try:
        visitors.check_form(request, visitor, form.get("form_token", ""))
        user_id = await registering.prove_email(found, form.get("code", ""))
    except FormRejected:
        return _code(visitors, at, pages, visitor, found, TOO_OLD)
    except StepFailed as failure:
        return _code(visitors, at, pages, visitor, found, str(failure))
    return await _done(request, visitors, at, visitor, found, user_id)


async def _done(
    request: Request, visitors: Visitors, at: Addresses, visitor: Visitor, draft: AccountDraft, user_id: str
) -> Response:
    """The account is made: its user is signed in, and goes where they came from."""
    visitor = await visitors.sign_in(request, visitor, user_id, PASSWORD)
    return visitors.remember(moved(page_below(at.base, draft.leads_to) or at.account), visitor)


def _first(
    visitors: Visitors, registering: Registering, at: Addresses, pages: Pages, visitor: Visitor, form: dict[str, str]
) -> Response:
    then = page_below(at.base, form.get("then", "")) or ""
    if not registering.is_open:
        values = {"login": at.login(then)}
        return pages.show("register_closed", visitor.language, "No new accounts", status=403, **values)
    problem = form.get("problem", "")
    shown = pages.show(
        "register",
        visitor.language,
        "Make an account on {service}",
        status=400 if problem else 200,
        then=then,
        login=at.login(then),
        name=form.get("name", ""),
        token=form.get("token", ""),
        needs_token=registering.needs_token,
        terms=registering.terms,
        has_terms=registering.has_terms,
        problem=problem,
        form_token=visitor.form_token,
    )
    return visitors.remember(shown, visitor)


def _email(
    visitors: Visitors, registering: Registering, pages: Pages, visitor: Visitor, email: str = "", problem: str = ""
) -> Response:
    shown = pages.show(
        "register_email",
        visitor.language,
        "Your e-mail address",
        status=400 if problem else 200,
        email=email,
        may_skip=not registering.needs_email,
        problem=problem,
        form_token=visitor.form_token,
    )
    return visitors.remember(shown, visitor)


def _code(
    visitors: Visitors, at: Addresses, pages: Pages, visitor: Visitor, draft: AccountDraft, problem: str = ""
) -> Response:
    shown = pages.show(
        "register_code",
        visitor.language,
        "Enter the code",
        status=400 if problem else 200,
        email=draft.email,
        back=at.registering(draft.draft, "email"),
        problem=problem,
        form_token=visitor.form_token,
    )
    return visitors.remember(shown, visitor)
