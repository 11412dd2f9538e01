"""How OAuth endpoints answer, refusals included."""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, ParamSpec

from aiohttp import web

from myelin.auth.oauth2.errors import OAuthError
from myelin.http.response import Response, json_response
from myelin.matrix.errors import InvalidParam, NotJson, TooLarge

P = ParamSpec("P")


def told_as_oauth(function: Callable[P, Awaitable[Any]]) -> Callable[P, Awaitable[Response]]:
    """Have an endpoint answer as RFC 6749 has it: never kept by a cache, and errors under their OAuth names."""

    @wraps(function)
    async def answer(*args: P.args, **kwargs: P.kwargs) -> Response:
        try:
            value = await function(*args, **kwargs)
        except OAuthError as error:
            return refusal(error)
        except (InvalidParam, NotJson, TooLarge) as error:
            return refusal(OAuthError("invalid_request", error.message))
        return value if isinstance(value, web.StreamResponse) else _fresh(json_response(value))

    answer.__annotations__["return"] = Response
    return answer


def refusal(error: OAuthError) -> web.Response:
    """An error's JSON."""
    return _fresh(json_response({"error": error.code, "error_description": error.description}, error.status))


def created(value: Any) -> web.Response:
    """A 201."""
    return _fresh(json_response(value, 201))


def _fresh(response: web.Response) -> web.Response:
    response.headers["Cache-Control"] = "no-store"
    return response
