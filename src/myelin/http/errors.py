"""From the spec's errors to HTTP: which status an errcode has, and the JSON body."""

from typing import Any

from aiohttp import web

from myelin.http.response import json_response
from myelin.matrix.errors import AuthRejected, CoreError, LimitExceeded, MatrixError

STATUS = {
    "M_BAD_ALIAS": 400,
    "M_CANNOT_LEAVE_SERVER_NOTICE_ROOM": 403,
    "M_CANNOT_OVERWRITE_MEDIA": 409,
    "M_DUPLICATE_ANNOTATION": 400,
    "M_FORBIDDEN": 403,
    "M_GUEST_ACCESS_FORBIDDEN": 403,
    "M_INVITE_BLOCKED": 403,
    "M_LIMIT_EXCEEDED": 429,
    "M_MISSING_TOKEN": 401,
    "M_NOT_FOUND": 404,
    "M_NOT_YET_UPLOADED": 504,
    "M_RESOURCE_LIMIT_EXCEEDED": 403,
    "M_TOO_LARGE": 413,
    "M_UNAUTHORIZED": 401,
    "M_UNKNOWN_TOKEN": 401,
    "M_UNRECOGNIZED": 404,
    "M_USER_DEACTIVATED": 403,
    "M_USER_LOCKED": 401,
    "M_USER_SUSPENDED": 403,
    "M_WRONG_ROOM_KEYS_VERSION": 403,
}
"""Statuses other than 400. An error whose status depends on the endpoint carries it in its `status` field."""


def error_response(error: MatrixError) -> web.Response:
    """What the client sees of an error."""
    fields: dict[str, Any] = dict(error.fields)
    status = fields.pop("status", None) or STATUS.get(error.errcode, 400)
    # A user-interactive authentication that has only begun is a 401 without an error of its own.
    named = {"errcode": error.errcode, "error": error.message} if error.errcode else {}
    response = json_response({**named, **fields}, status)
    if isinstance(error, LimitExceeded) and "retry_after_ms" in fields:
        response.headers["Retry-After"] = str(-(-int(fields["retry_after_ms"]) // 1000))
    return response


def from_core(error: CoreError) -> MatrixError:
    """A refusal of the pure core as its API says it."""
    if isinstance(error, AuthRejected):
        return MatrixError(error.reason, errcode="M_FORBIDDEN")
    return MatrixError(str(error), errcode="M_INVALID_PARAM")
