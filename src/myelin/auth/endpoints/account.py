"""The page of one's own account (spec: client-server API, "Account management")."""

from datetime import UTC, datetime

import msgspec

from myelin.auth.account.own_sessions import OwnDevice, OwnSessions
from myelin.auth.browser.visitors import FormRejected, Visitors
from myelin.auth.endpoints.moving import moved
from myelin.auth.endpoints.refusals import rejected
from myelin.auth.oauth2.addresses import Addresses
from myelin.auth.pages.forms import read_form
from myelin.auth.pages.rendering import Pages
from myelin.http.endpoint import Auth, Endpoints
from myelin.http.request import Request
from myelin.http.response import Response
from myelin.services.accounts.cross_signing_resets import CrossSigningResets

endpoints = Endpoints(group="auth", auth=Auth.NONE)

RESET = "org.matrix.cross_signing_reset"


class Action(msgspec.Struct, frozen=True):
    """What a client's link wants to show; `action` under the names of the spec."""

    action: str = ""
    device_id: str = ""


@endpoints.endpoint("GET /auth/account", limit="general")
async def show_account(
    request: Request, visitors: Visitors, own: OwnSessions, at: Addresses, pages: Pages, query: Action
) -> Response:
    """Show what the user is signed in with."""
    visitor = await visitors.visitor(request)
    if visitor.user_id is None:
        return moved(at.login(f"{at.account}{_query(request)}"))
    if query.action == RESET:
        return moved(at.cross_signing)
    devices = await own.devices(visitor.user_id)
    if query.device_id:
        devices = [device for device in devices if device.device_id == query.device_id]
    shown = pages.show(
        "account",
        visitor.language,
        "Your account",
        user_id=visitor.user_id,
        devices=[(device, _seen(device)) for device in devices],
        is_part=bool(query.device_id),
        account=at.account,
        form_token=visitor.form_token,
    )
    return visitors.remember(shown, visitor)


@endpoints.endpoint("POST /auth/account/devices/end", limit="general")
async def take_end_of_device(
    request: Request, visitors: Visitors, own: OwnSessions, at: Addresses, pages: Pages
) -> Response:
    """Sign a device out."""
    visitor = await visitors.visitor(request)
    form = await read_form(request)
    try:
        user_id = visitors.check_user_form(request, visitor, form.get("form_token", ""))
    except FormRejected:
        return rejected(pages, visitor)
    await own.end_device(user_id, form.get("device_id", ""))
    return moved(at.account)


@endpoints.endpoint("GET /auth/account/cross-signing", limit="general")
async def show_reset(request: Request, visitors: Visitors, at: Addresses, pages: Pages) -> Response:
    """Ask whether an app may replace the user's cross-signing keys."""
    visitor = await visitors.visitor(request)
    if not visitors.is_fresh(visitor):
        return moved(at.login(at.cross_signing))
    title = "Reset your digital identity?"
    shown = pages.show("reset", visitor.language, title, user_id=visitor.user_id, form_token=visitor.form_token)
    return visitors.remember(shown, visitor)


@endpoints.endpoint("POST /auth/account/cross-signing", limit="general")
async def take_reset(
    request: Request, visitors: Visitors, resets: CrossSigningResets, at: Addresses, pages: Pages
) -> Response:
    """Let an app replace the keys, for a short time."""
    visitor = await visitors.visitor(request)
    form = await read_form(request)
    try:
        user_id = visitors.check_user_form(request, visitor, form.get("form_token", ""))
    except FormRejected:
        return rejected(pages, visitor)
    if not visitors.is_fresh(visitor):
        return moved(at.login(at.cross_signing))
    if form.get("answer") != "allow":
        return moved(at.account)
    await resets.allow(user_id)
    return pages.show("reset_done", visitor.language, "You can reset it now")


def _query(request: Request) -> str:
    query = request.target.partition("?")[2]
    return f"?{query}" if query else ""


def _seen(device: OwnDevice) -> str:
    if device.last_seen_ts is None:
        return ""
    return datetime.fromtimestamp(device.last_seen_ts / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
