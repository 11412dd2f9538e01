"""The page on which a user lets in a device without a browser (RFC 8628, section 3.3)."""

from urllib.parse import urlencode

import msgspec

from myelin.auth.browser.visitor import Visitor
from myelin.auth.browser.visitors import FormRejected, Visitors
from myelin.auth.endpoints.moving import moved
from myelin.auth.endpoints.refusals import rejected, too_late
from myelin.auth.oauth2.addresses import Addresses
from myelin.auth.oauth2.device_authorization import DeviceAuthorizations
from myelin.auth.oauth2.errors import OAuthError
from myelin.auth.pages.forms import read_form
from myelin.auth.pages.rendering import Pages
from myelin.http.endpoint import Auth, Endpoints
from myelin.http.rate_limits import RateLimiter
from myelin.http.request import Request
from myelin.http.response import Response
from myelin.matrix.errors import NotFound

endpoints = Endpoints(group="auth", auth=Auth.NONE)


class UserCode(msgspec.Struct, frozen=True):
    """The code that the device shows."""

    user_code: str = ""


@endpoints.endpoint("GET /auth/device", limit="general")
async def show_device(
    request: Request,
    visitors: Visitors,
    devices: DeviceAuthorizations,
    limiter: RateLimiter,
    at: Addresses,
    pages: Pages,
    query: UserCode,
) -> Response:
    """Ask for the code, then whether the device may come in."""
    visitor = await visitors.visitor(request)
    if visitor.user_id is None:
        then = f"{at.device}?{urlencode({'user_code': query.user_code})}" if query.user_code else at.device
        return moved(at.login(then))
    if not query.user_code:
        return _ask_code(visitors, pages, visitor)
    limiter.take("registration_token", visitor.user_id)
    try:
        grant, client = await devices.asked(query.user_code)
    except (NotFound, OAuthError):
        return _ask_code(visitors, pages, visitor, "There is no such code, or it has expired.", 404)
    shown = pages.show(
        "device_consent",
        visitor.language,
        "Let this device into your account?",
        client=client,
        client_name=client.name(visitor.language),
        asked_from=grant.asked_from,
        user_code=query.user_code,
        user_id=visitor.user_id,
        form_token=visitor.form_token,
    )
    return visitors.remember(shown, visitor)


@endpoints.endpoint("POST /auth/device", limit="general")
async def take_device(request: Request, visitors: Visitors, devices: DeviceAuthorizations, pages: Pages) -> Response:
    """Let the device in, or not."""
    visitor = await visitors.visitor(request)
    form = await read_form(request)
    allows = form.get("answer") == "allow"
    try:
        visitors.check_user_form(request, visitor, form.get("form_token", ""))
        await devices.decide(form.get("user_code", ""), visitor, allows=allows)
    except FormRejected:
        return rejected(pages, visitor)
    except NotFound:
        return too_late(pages, visitor)
    title = "The device is signed in" if allows else "The device was refused"
    return pages.show("device_done", visitor.language, title)


def _ask_code(visitors: Visitors, pages: Pages, visitor: Visitor, problem: str = "", status: int = 200) -> Response:
    shown = pages.show("device_code", visitor.language, "Connect a device", status=status, problem=problem)
    return visitors.remember(shown, visitor)
