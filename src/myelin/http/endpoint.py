"""An endpoint is a declaration on a typed function; the router, the docs and the proxies' maps all come from it.

    rooms = Endpoints(group="rooms")

    @rooms.endpoint("PUT /_matrix/client/v3/rooms/{room_id}/send/{event_type}/{txn_id}", limit="message",
                    shard_by="room_id")
    async def send_message(requester: Requester, sender: Sender, room_id: str, ...) -> SendResponse:

What a parameter is follows from its name and annotation: the names in the path; `body` (a Struct or `dict`) from the
JSON body; `query` (a Struct) from the query string; `request` the Request; `requester` the Requester; `origin`, where
servers ask, the name of the one that does; everything else a service, found by its class when the server is built.
"""

import inspect
import re
import typing
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Awaitable[Any]])
_PATH_NAME = re.compile(r"\{(\w+)\}")
_SPECIAL = frozenset({"body", "origin", "query", "request", "requester"})


class Auth(Enum):
    """Who may call."""

    NONE = "none"
    OPTIONAL = "optional"
    USER = "user"
    """A user with a valid access token, not a guest."""
    GUEST = "guest"
    """Like USER, and guests too."""
    ADMIN = "admin"
    SERVER = "server"
    """Another homeserver, by a signed request."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The facts of one endpoint."""

    name: str
    method: str
    path: str
    group: str
    auth: Auth
    function: Callable[..., Awaitable[Any]]
    limit: str | None = None
    """The rate-limit bucket, a field of the config's `rate_limits`; keyed by user, or by address without one."""
    shard_by: str | None = None
    """The path parameter that says which process has warm caches."""
    also: tuple[str, ...] = ()
    """Older or unstable paths of the same endpoint."""
    while_locked: bool = False
    """A locked account may still call it."""
    unless_suspended: bool = False
    """A suspended account may not call it."""
    body_optional: bool = False
    """An empty body counts as `{}`."""
    parameters: dict[str, Any] = field(default_factory=dict)
    """Annotations of the function's parameters, resolved."""

    @property
    def path_names(self) -> tuple[str, ...]:
        """The names in the path, in order."""
        return tuple(_PATH_NAME.findall(self.path))

    @property
    def services(self) -> dict[str, type]:
        """Parameters that are services."""
        taken = _SPECIAL | set(self.path_names)
        return {name: kind for name, kind in self.parameters.items() if name not in taken}


class Endpoints:
    """The endpoints of one API file."""

    def __init__(self, *, group: str, auth: Auth = Auth.USER) -> None:
        self.group = group
        self.auth = auth
        self._endpoints: list[Endpoint] = []

    def __iter__(self) -> Iterator[Endpoint]:
        return iter(self._endpoints)

    def endpoint(
        self,
        route: str,
        *,
        also: tuple[str, ...] = (),
        auth: Auth | None = None,
        limit: str | None = None,
        shard_by: str | None = None,
        while_locked: bool = False,
        unless_suspended: bool = False,
        body_optional: bool = False,
        name: str | None = None,
    ) -> Callable[[F], F]:
        """Declare `METHOD /path` on a function. A v3 path is served under r0 too."""

        def declare(function: F) -> F:
            method, _, path = route.partition(" ")
            parameters = _parameters(function)
            endpoint = Endpoint(
                name=name or function.__name__,
                method=method,
                path=path,
                group=self.group,
                auth=auth or self.auth,
                function=function,
                limit=limit,
                shard_by=shard_by,
                also=_also(path, also),
                while_locked=while_locked,
                unless_suspended=unless_suspended,
                body_optional=body_optional,
                parameters=parameters,
            )
            _check(endpoint)
            self._endpoints.append(endpoint)
            return function

        return declare


def _also(path: str, also: tuple[str, ...]) -> tuple[str, ...]:
    for prefix in ("/_matrix/client/", "/_matrix/media/"):
        if path.startswith(prefix + "v3/"):
            return (prefix + "r0/" + path.removeprefix(prefix + "v3/"), *also)
    return also


def _parameters(function: Callable[..., Any]) -> dict[str, Any]:
    hints = typing.get_type_hints(function, include_extras=True)
    return {name: hints[name] for name in inspect.signature(function).parameters}


def _check(endpoint: Endpoint) -> None:
    missing = [n for n in endpoint.path_names if n not in endpoint.parameters]
    if missing:
        raise TypeError(f"{endpoint.name}: the path names {missing}, the function does not take them")
    if ("origin" in endpoint.parameters) > (endpoint.auth is Auth.SERVER):
        raise TypeError(f"{endpoint.name}: only an endpoint for servers has an origin")
    if endpoint.shard_by is not None and endpoint.shard_by not in endpoint.path_names:
        raise TypeError(f"{endpoint.name}: shard_by is not in the path")
