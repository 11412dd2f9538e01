"""Requests to identity servers (spec: Identity Service API): guarded, bounded, and only to those that are allowed."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import orjson

from myelin.config.sections.identity import Identity
from myelin.http.client import HttpClient, RequestFailed
from myelin.matrix.errors import InvalidParam, MatrixError, MissingParam
from myelin.matrix.globs import GlobSet
from myelin.matrix.identifiers import is_server_name

MAX_ANSWER_BYTES = 262_144
MAX_ERROR_CHARACTERS = 200
"""What is passed on of an error's words."""
V1 = "/_matrix/identity/api/v1"
V2 = "/_matrix/identity/v2"
OK = 200
UNAUTHORIZED = 401
CLIENT_ERRORS = range(400, 500)
BAD_GATEWAY = 502
_ERRCODE = re.compile(r"[A-Z][A-Z0-9_]{0,63}(?:\.[A-Za-z0-9_.-]{1,64})?|[a-z0-9_.-]{1,64}\.[A-Z0-9_]{1,64}")
_NEVER_OF_OTHERS = frozenset({"M_UNKNOWN_TOKEN", "M_MISSING_TOKEN", "M_UNAUTHORIZED", "M_USER_LOCKED"})
"""Codes by which a client would think that its own session here is over."""


class IdentityFailed(MatrixError):
    """The identity server gave no answer that makes sense."""

    def __init__(self, id_server: str, reason: str) -> None:
        super().__init__(f"The identity server {id_server} {reason}", errcode="M_UNKNOWN", status=BAD_GATEWAY)


class IdentityRefused(MatrixError):
    """The identity server said no; code and words are its own where they are well-formed.

    `is_coded` is False for an answer that is no Matrix error at all: the server does not know the request.
    """

    def __init__(self, status: int, answer: Any) -> None:
        code, words = (answer.get("errcode"), answer.get("error")) if isinstance(answer, dict) else (None, None)
        self.is_coded = isinstance(code, str) and _ERRCODE.fullmatch(code) is not None
        errcode = code if self.is_coded and code not in _NEVER_OF_OTHERS else "M_FORBIDDEN"
        super().__init__(_shown(words), errcode=errcode, status=_passed_on(status))
        self.answered = status
        self.fields_of_answer: Mapping[str, Any] = answer if isinstance(answer, dict) else {}


class IdentityServers:
    """Asks identity servers. What comes back is a JSON object, of which nothing is checked yet."""

    def __init__(self, config: Identity, client: HttpClient) -> None:
        self._config = config
        self._client = client
        self._allow = GlobSet(name.lower() for name in config.allow or ("*",))

    def check_allowed(self, id_server: str) -> None:
        """Raises M_SERVER_NOT_TRUSTED for one that is not spoken with, InvalidParam for what is no server's name."""
        if not is_server_name(id_server):
            raise InvalidParam("id_server is the name of a server: a host, and a port if it has one")
        if not self._config.enabled or not self._allow.matches(id_server.lower()):
            raise MatrixError(
                f"This server does not speak with the identity server {id_server}",
                errcode="M_SERVER_NOT_TRUSTED",
                status=403,
            )

    async def get(self, id_server: str, path: str, *, token: str, query: Mapping[str, str] | None = None) -> Any:
        """The answer to a GET below `/_matrix/identity/v2`.

        Raises IdentityRefused, IdentityFailed, or what `check_allowed` does.
        """
        self.check_allowed(id_server)
        target = f"{V2}{path}" + (f"?{urlencode(query)}" if query else "")
        return await self.ask("GET", f"https://{id_server}", target, authorization=_bearer(token))

    async def post(self, id_server: str, path: str, body: Mapping[str, Any], *, token: str) -> dict[str, Any]:
        """The answer to a POST below `/_matrix/identity/v2`. Raises as `get`."""
        self.check_allowed(id_server)
        authorization = _bearer(token)
        return await self.ask("POST", f"https://{id_server}", f"{V2}{path}", orjson.dumps(body), authorization)

    async def ask(
        self, method: str, base_url: str, target: str, body: bytes | None = None, authorization: str = ""
    ) -> dict[str, Any]:
        """The answer to a request to a server that the configuration or `check_allowed` let through.

        Raises IdentityRefused or IdentityFailed.
        """
        headers = {} if body is None else {"Content-Type": "application/json"}
        if authorization:
            headers["Authorization"] = authorization
        host = base_url.partition("://")[2]
        try:
            answer = await self._client.request(
                method,
                f"{base_url}{target}",
                timeout_s=self._config.timeout_ms / 1000,
                max_bytes=MAX_ANSWER_BYTES,
                body=body,
                headers=headers,
            )
        except RequestFailed as error:
            raise IdentityFailed(host, "did not answer") from error
        value = _json(answer.body)
        if answer.status != OK:
            raise IdentityRefused(answer.status, value)
        if not isinstance(value, dict):
            raise IdentityFailed(host, "answered with something else than JSON")
        return value


def _bearer(token: str) -> str:
    """The header. Raises MissingParam, or InvalidParam for a token that fits in no header."""
    if not token:
        raise MissingParam("id_access_token is missing")
    if not token.isascii() or not token.isprintable():
        raise InvalidParam("id_access_token is no access token")
    return f"Bearer {token}"


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def _passed_on(status: int) -> int:
    """The status for our client: 401 would mean its own session."""
    if status == UNAUTHORIZED:
        return 403
    return status if status in CLIENT_ERRORS else BAD_GATEWAY


def _shown(words: Any) -> str:
    text = words if isinstance(words, str) and words.isprintable() else "it refused"
    return f"The identity server says: {text[:MAX_ERROR_CHARACTERS]}"
