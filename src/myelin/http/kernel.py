"""From a raw request to an answer: route, authenticate, limit, call, encode; and every error as a client may see it."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Protocol

import msgspec
from aiohttp import web

from myelin.http.arguments import Call, Caller, bind
from myelin.http.endpoint import Auth, Endpoint
from myelin.http.errors import error_response, from_core
from myelin.http.json_answer import Answer, JsonAnswer
from myelin.http.rate_limits import RateLimiter
from myelin.http.request import Network, Request
from myelin.http.requester import Requester
from myelin.http.response import encode, json_response, options_response
from myelin.http.routing import Router
from myelin.matrix.errors import CoreError, Forbidden, MatrixError, MissingToken, Unrecognized


class Authenticator(Protocol):
    """Tells who stands behind a request."""

    def recall(self, request: Request) -> Requester | None:
        """The requester if it is known without waiting."""
        ...

    def authenticate(self, request: Request) -> Awaitable[Requester]:
        """The requester. Raises MissingToken or UnknownToken."""
        ...


class ServerAuthenticator(Protocol):
    """Tells which server stands behind a signed request."""

    def origin(self, request: Request) -> Awaitable[str]:
        """The name of the server. Raises MatrixError where it is not proven, or not welcome."""
        ...


class Observer(Protocol):
    """Hears of each request that ended."""

    def started(self) -> Any:
        """A mark of the moment."""
        ...

    def ended(self, mark: Any, endpoint: str, method: str, status: int) -> None:
        """The request is answered."""
        ...

    def failed(self, endpoint: str, method: str, error: BaseException) -> None:
        """An unexpected error: our fault."""
        ...


class _Target(msgspec.Struct, frozen=True):
    endpoint: Endpoint
    call: Call
    authenticator: Authenticator


class Kernel:
    """Answers requests by the table of endpoints.

    `is_unlimited` tells of a request without a requester that no rate limit by address holds for it.
    """

    def __init__(
        self,
        endpoints: Iterable[Endpoint],
        services: Mapping[type, Any],
        *,
        authenticators: Mapping[Auth, Authenticator],
        servers: ServerAuthenticator | None = None,
        limiter: RateLimiter,
        observer: Observer,
        max_body: int,
        body_timeout_s: float | None = None,
        trusted_proxies: tuple[Network, ...] = (),
        is_unlimited: Callable[[Request], bool] = lambda _: False,
    ) -> None:
        self._servers = servers
        self._limiter = limiter
        self._observer = observer
        self._max_body = max_body
        self._body_timeout_s = body_timeout_s
        self._trusted_proxies = trusted_proxies
        self._is_unlimited = is_unlimited
        self._router: Router[_Target] = Router()
        for endpoint in endpoints:
            authenticator = authenticators.get(endpoint.auth) or authenticators[Auth.USER]
            target = _Target(endpoint, bind(endpoint, services), authenticator)
            for path in (endpoint.path, *endpoint.also):
                self._router.add(endpoint.method, path, target)

    async def handle(self, raw: web.BaseRequest) -> Answer:
        """Answer one request; never raises but for cancellation."""
        mark = self._observer.started()
        request = Request(
            raw,
            max_body=self._max_body,
            body_timeout_s=self._body_timeout_s,
            trusted_proxies=self._trusted_proxies,
        )
        name = "unrecognized"
        try:
            found = self._find(request)
            if found is None:
                return options_response()
            target, values = found
            name = target.endpoint.name
            response = await self._answer(target, request, values)
        except MatrixError as error:
            response = error_response(error)
        except CoreError as error:
            response = error_response(from_core(error))
        except (ConnectionResetError, TimeoutError) as error:
            response = error_response(MatrixError(f"The request did not arrive whole: {type(error).__name__}"))
        except Exception as error:  # noqa: BLE001  (the last place that can answer the client)
            self._observer.failed(name, raw.method, error)
            response = json_response({"errcode": "M_UNKNOWN", "error": "Internal server error"}, 500)
        self._observer.ended(mark, name, raw.method, response.status)
        return response

    def _find(self, request: Request) -> tuple[_Target, list[str]] | None:
        """The target and path parameters; None for a preflight request, which any path answers."""
        if request.method == "OPTIONS":
            return None
        found = self._router.find(request.path)
        if found is None:
            raise Unrecognized("The server does not know this endpoint", status=404)
        targets, values = found
        target = targets.get(request.method)
        if target is None and request.method == "HEAD":
            target = targets.get("GET")
        if target is None:
            raise Unrecognized("The endpoint does not take this method", status=405)
        return target, values

    async def _answer(self, target: _Target, request: Request, values: list[str]) -> Answer:
        endpoint = target.endpoint
        caller = None if endpoint.auth is Auth.NONE else await self._caller(target, request)
        if endpoint.limit is not None:
            self._limit(endpoint.limit, request, caller)
        result = await target.call(request, caller, values)
        return result if isinstance(result, web.StreamResponse) else JsonAnswer(encode(result))

    def _limit(self, bucket: str, request: Request, caller: Caller) -> None:
        if caller is None:
            if not self._is_unlimited(request):
                self._limiter.take(bucket, request.client_address)
        elif isinstance(caller, str):
            self._limiter.take(bucket, caller)
        elif caller.is_limited:
            self._limiter.take(bucket, caller.user_id)

    async def _caller(self, target: _Target, request: Request) -> Caller:
        if target.endpoint.auth is not Auth.SERVER:
            requester = target.authenticator.recall(request)
            if requester is None:
                return await self._requester(target, request)
            _check_may_call(target.endpoint, requester)
            return requester
        if self._servers is None:
            raise Forbidden("This server does not federate")
        return await self._servers.origin(request)

    async def _requester(self, target: _Target, request: Request) -> Requester | None:
        try:
            requester = await target.authenticator.authenticate(request)
        except MissingToken:
            if target.endpoint.auth is Auth.OPTIONAL:
                return None
            raise
        _check_may_call(target.endpoint, requester)
        return requester


def _check_may_call(endpoint: Endpoint, requester: Requester) -> None:
    if requester.is_locked and not endpoint.while_locked:
        raise MatrixError("This account is locked", errcode="M_USER_LOCKED", soft_logout=True)
    if requester.is_suspended and endpoint.unless_suspended:
        raise MatrixError("This account is suspended", errcode="M_USER_SUSPENDED")
    if requester.is_guest and endpoint.auth not in (Auth.GUEST, Auth.OPTIONAL):
        raise MatrixError("Guests may not do this", errcode="M_GUEST_ACCESS_FORBIDDEN")
    if endpoint.auth is Auth.ADMIN and not requester.is_admin:
        raise Forbidden("Only a server administrator may do this")
