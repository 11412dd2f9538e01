"""Pages that people see on their way to another place and back, and the cookie that goes with them."""

from collections.abc import Sequence
from html import escape

from aiohttp import web

from myelin.http.page import page
from myelin.http.request import Request
from myelin.matrix.errors import MatrixError
from myelin.services.sso.client_addresses import shown_name
from myelin.services.sso.pending import COOKIE, LIFETIME_MS
from myelin.services.sso.ports import UpstreamProvider
from myelin.services.sso.sign_in import Arrival, Departure

COOKIE_PATH = "/_matrix/client"
FOUND = 302
DEFAULT_STATUS = 403
ACTIONS = {
    "DELETE /devices": "remove a session from your account",
    "POST /delete_devices": "remove sessions from your account",
    "POST /account/deactivate": "delete your account",
    "POST /account/password": "change your password",
    "POST /account/3pid/add": "add an address to your account",
    "POST /keys/device_signing/upload": "reset the identity that your encrypted messages are verified by",
    "POST /login/get_token": "sign in another device",
}
"""What somebody is about to confirm, by method and beginning of the path."""
OTHER_ACTION = "change something in your account"


def redirect(departure: Departure, *, is_secure: bool) -> web.Response:
    """Send the browser on at once."""
    response = web.Response(status=FOUND, headers={"Location": departure.address, "Cache-Control": "no-store"})
    response.headers["Referrer-Policy"] = "no-referrer"
    return with_cookie(response, departure.cookie, is_secure=is_secure)


def with_cookie(response: web.Response, cookie: str, *, is_secure: bool) -> web.Response:
    """The answer, after which the browser is known again."""
    response.set_cookie(
        COOKIE, cookie, max_age=LIFETIME_MS // 1000, path=COOKIE_PATH, secure=is_secure, httponly=True, samesite="Lax"
    )
    return response


def cookie_of(request: Request) -> str:
    """The cookie of the browser, or nothing."""
    return request.raw.cookies.get(COOKIE, "")


def choice(providers: Sequence[UpstreamProvider], target: str, query: str) -> web.Response:
    """A page to choose where to sign in; `target` is what comes before each provider's ID."""
    links = "".join(
        f'<a class="button" href="{escape(f"{target}{provider.provider_id}?{query}")}">{escape(provider.name)}</a>\n'
        for provider in providers
    )
    return page("Where do you want to sign in?", links)


def confirmation(wanted: str, user_id: str, provider: UpstreamProvider, departure: Departure) -> web.Response:
    """What somebody is about to confirm, before they sign in again for it."""
    action = next((text for path, text in ACTIONS.items() if wanted.startswith(path)), OTHER_ACTION)
    where = escape(provider.name)
    return page(
        "Is this you?",
        f"<p>An app that is signed in as <strong>{escape(user_id)}</strong> wants to <strong>{action}</strong>.</p>\n"
        f'<a class="button" href="{escape(departure.address)}" rel="noreferrer">Confirm with {where}</a>\n'
        "<p>If you did not expect this, close this page: somebody else may be using your account.</p>",
    )


def arrived(arrival: Arrival) -> web.Response:
    """On to the client, at once or by a link that says where it leads."""
    if not arrival.asks_first:
        response = web.Response(status=FOUND, headers={"Location": arrival.client_address, "Cache-Control": "no-store"})
        response.headers["Referrer-Policy"] = "no-referrer"
    else:
        where = escape(shown_name(arrival.client_address))
        response = page(
            "Go on to your app?",
            f"<p>You are about to sign in <strong>{where}</strong> as <strong>{escape(arrival.user_id)}</strong>. "
            "It will be able to read and send your messages.</p>\n"
            f'<a class="button" href="{escape(arrival.client_address)}" rel="noreferrer">Continue to {where}</a>\n'
            "<p>If you do not know it, or if this is not your account, close this page.</p>",
        )
    response.del_cookie(COOKIE, path=COOKIE_PATH)
    return response


def refused(error: MatrixError) -> web.Response:
    """A page that says why it goes no further."""
    status = error.fields.get("status", DEFAULT_STATUS)
    return page("You cannot sign in", f"<p>{escape(error.message)}</p>", status=status)
