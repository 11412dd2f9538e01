"""Answers: JSON with the headers that browsers need, or something of the endpoint's own."""

from typing import Any

import msgspec
import orjson
from aiohttp import web
from multidict import CIMultiDict, istr

_CONTENT_TYPE = istr("Content-Type")
CORS_HEADERS = {
    istr("Access-Control-Allow-Origin"): "*",
    istr("Access-Control-Allow-Methods"): "GET, HEAD, POST, PUT, DELETE, OPTIONS",
    istr("Access-Control-Allow-Headers"): "X-Requested-With, Content-Type, Authorization",
    istr("Access-Control-Expose-Headers"): "Retry-After, ETag",
}
PREFLIGHT_HEADERS = {
    **CORS_HEADERS,
    # Clients that sign in with a QR code send conditions.
    istr("Access-Control-Allow-Headers"): "X-Requested-With, Content-Type, Authorization, If-Match, If-None-Match",
}
JSON_HEADERS = CIMultiDict({_CONTENT_TYPE: "application/json", **CORS_HEADERS})

Response = web.StreamResponse
"""What an endpoint returns that does not answer with JSON."""


class Empty(msgspec.Struct, frozen=True):
    """`{}`."""


class JsonBytes:
    """JSON that is encoded already."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data


def encode(value: Any) -> bytes:
    """JSON bytes of what an endpoint returned: a Struct, plain values, or JsonBytes."""
    if isinstance(value, JsonBytes):
        return value.data
    if isinstance(value, msgspec.Struct):
        return msgspec.json.encode(value)
    return orjson.dumps(value, default=msgspec.to_builtins, option=orjson.OPT_PASSTHROUGH_DATACLASS)


def json_response(value: Any, status: int = 200) -> web.Response:
    """A JSON answer."""
    return web.Response(body=encode(value), status=status, headers=JSON_HEADERS.copy())


def options_response() -> web.Response:
    """The answer to a browser's preflight request."""
    return web.Response(status=204, headers=PREFLIGHT_HEADERS)
