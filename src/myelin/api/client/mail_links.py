"""Pages that links in mail lead to. Opening one changes nothing, unless the configuration says so: programs that look
through mail open links too."""

from html import escape
from urllib.parse import parse_qsl, urlsplit

import msgspec

from myelin.http.endpoint import Auth, Endpoints
from myelin.http.page import page
from myelin.http.request import Request
from myelin.http.response import Response
from myelin.matrix.errors import InvalidParam, MatrixError, NotFound
from myelin.services.mail.validations import CONFIRM_PATH, Validations
from myelin.services.push.mail_pushers import UNSUBSCRIBE_PATH, MailPushers
from myelin.store.mail import Validation

endpoints = Endpoints(group="login", auth=Auth.NONE)

MAX_FORM_BYTES = 16_384
MAX_FORM_FIELDS = 10
_DONE = {
    "register": "Your address is confirmed. Return to your app to finish making your account.",
    "password": "That was it. Return to your app to choose a new password.",
    "add": "Your address is confirmed. Return to your app to finish adding it.",
}
_ASK = {
    "register": "to make an account with it",
    "password": "to set a new password for your account",
    "add": "to add it to your account",
}


class LinkQuery(msgspec.Struct, frozen=True):
    """The secret of the link."""

    token: str


@endpoints.endpoint(f"GET {CONFIRM_PATH}", limit="mail_link")
async def show_mail_confirmation(validations: Validations, query: LinkQuery) -> Response:
    """Ask whether the address is to be confirmed."""
    if not validations.needs_a_button:
        return await _confirm(validations, query.token)
    try:
        found = await validations.show(query.token)
    except NotFound:
        return _used()
    return page(
        "Confirm your address",
        f"<p>Confirm that <strong>{escape(found.address)}</strong> is yours, {_ASK[found.purpose]}.</p>\n"
        f"{_form(query.token, 'Confirm')}\n<p>If you did not ask for this, close this page.</p>",
    )


@endpoints.endpoint(f"POST {CONFIRM_PATH}", limit="mail_link")
async def confirm_mail_address(request: Request, validations: Validations) -> Response:
    """Confirm the address of the form."""
    return await _confirm(validations, await _token(request))


@endpoints.endpoint(f"GET {UNSUBSCRIBE_PATH}", limit="mail_link")
async def show_mail_unsubscription(pushers: MailPushers, query: LinkQuery) -> Response:
    """Ask whether digests are to end."""
    address = pushers.address_of(query.token)
    if address is None:
        return _used()
    return page(
        "Get no more mail?",
        f"<p>Messages that you have not read will not be mailed to <strong>{escape(address)}</strong> any more. "
        f"Your app can switch it on again.</p>\n{_form(query.token, 'Get no more mail')}",
    )


@endpoints.endpoint(f"POST {UNSUBSCRIBE_PATH}", limit="mail_link")
async def unsubscribe_from_mail(request: Request, pushers: MailPushers) -> Response:
    """End digests, from the page or with one click in the mail program (RFC 8058)."""
    token = request.query.get("token") or await _token(request)
    if not await pushers.unsubscribe(token):
        return _used()
    return page("No more mail", "<p>You will get no more of these mails.</p>")


async def _confirm(validations: Validations, token: str) -> Response:
    try:
        found = await validations.confirm(token)
    except NotFound:
        return _used()
    return page("Confirmed", f"<p>{_DONE[found.purpose]}</p>{_next(found)}")


def _form(token: str, label: str) -> str:
    return (
        f'<form method="post">\n<input type="hidden" name="token" value="{escape(token)}">\n'
        f"<button>{label}</button>\n</form>"
    )


def _next(found: Validation) -> str:
    """A link on to where the client wanted: not followed by itself, since anybody could have chosen it."""
    if found.next_link is None:
        return ""
    host = escape(urlsplit(found.next_link).hostname or "")
    return f'\n<p><a href="{escape(found.next_link)}" rel="noreferrer">Go on to {host}</a></p>'


def _used() -> Response:
    return page("Too late", "<p>This link was used already, or is too old. Start again in your app.</p>", status=404)


async def _token(request: Request) -> str:
    body = await request.body(MAX_FORM_BYTES)
    try:
        form = dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MAX_FORM_FIELDS, errors="strict"))
    except (ValueError, MatrixError) as error:
        raise InvalidParam("The form cannot be read") from error
    return form.get("token", "")
