"""Rendezvous sessions in the words of HTTP, as clients of 2024 use them for signing in with a QR code (MSC4108)."""

from email.utils import formatdate

from aiohttp import web
from multidict import CIMultiDict

from myelin.http.endpoint import Auth, Endpoints
from myelin.http.request import Request
from myelin.http.response import CORS_HEADERS, encode
from myelin.matrix.errors import InvalidParam, MissingParam
from myelin.services.rendezvous.rendezvous import MAX_DATA_BYTES, Place, Rendezvous

endpoints = Endpoints(group="accounts", auth=Auth.NONE)

BELOW = "/_matrix/client/unstable/org.matrix.msc4108/rendezvous"


@endpoints.endpoint(f"POST {BELOW}", limit="general")
async def create_rendezvous_session(request: Request, rendezvous: Rendezvous) -> web.Response:
    """Open a session: its address, which is all that the other device needs."""
    place = await rendezvous.open(None, await _text(request))
    body = encode({"url": f"{rendezvous.public_url}{BELOW}/{place.session_id}"})
    return web.Response(body=body, status=201, headers={**_headers(place), "Content-Type": "application/json"})


@endpoints.endpoint(f"PUT {BELOW}/{{rendezvous_id}}", limit="general")
async def put_rendezvous_session(request: Request, rendezvous: Rendezvous, rendezvous_id: str) -> web.Response:
    """Replace the message that `If-Match` names."""
    seen = request.headers.get("If-Match")
    if seen is None:
        raise MissingParam("The header If-Match must name the message that is replaced")
    if seen.startswith("W/") or "," in seen or seen == "*":
        raise InvalidParam("If-Match must be one strong ETag")
    place, is_done = await rendezvous.replace(rendezvous_id, seen.strip('"'), await _text(request))
    if is_done:
        return web.Response(status=202, headers=_headers(place))
    body = encode({"errcode": "M_CONCURRENT_WRITE", "error": "Another message came first: read it"})
    return web.Response(body=body, status=412, headers={**_headers(place), "Content-Type": "application/json"})


@endpoints.endpoint(f"GET {BELOW}/{{rendezvous_id}}", limit="general")
async def get_rendezvous_session(request: Request, rendezvous: Rendezvous, rendezvous_id: str) -> web.Response:
    """Read the message, unless it is the one that `If-None-Match` names."""
    place = await rendezvous.at(rendezvous_id)
    if request.headers.get("If-None-Match", "").strip('"') == place.token:
        return web.Response(status=304, headers=_headers(place))
    return web.Response(body=place.data, headers={**_headers(place), "Content-Type": "text/plain"})


@endpoints.endpoint(f"DELETE {BELOW}/{{rendezvous_id}}", limit="general")
async def delete_rendezvous_session(rendezvous: Rendezvous, rendezvous_id: str) -> web.Response:
    """Close a session."""
    await rendezvous.close(rendezvous_id)
    return web.Response(status=204, headers=CORS_HEADERS)


async def _text(request: Request) -> bytes:
    if "Content-Type" not in request.headers:
        raise MissingParam("The header Content-Type must be text/plain")
    if request.raw.content_type != "text/plain":
        raise InvalidParam("The header Content-Type must be text/plain")
    return await request.body(MAX_DATA_BYTES)


def _headers(place: Place) -> CIMultiDict[str]:
    headers = CIMultiDict[str](CORS_HEADERS)
    headers["ETag"] = f'"{place.token}"'
    headers["Expires"] = formatdate(place.expires_ts / 1000, usegmt=True)
    headers["Last-Modified"] = formatdate(place.modified_ts / 1000, usegmt=True)
    headers["Cache-Control"] = "no-store"
    headers["Pragma"] = "no-cache"
    # What was left there is anybody's: it must never run as a page of this server's name.
    headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    headers["X-Content-Type-Options"] = "nosniff"
    return headers
