"""One part of the server, as its builder hands it over."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from myelin.http.endpoint import Endpoints


@dataclass(frozen=True, slots=True)
class Part:
    """Services by class, for the endpoints to name; the endpoints; loops that run beside; what to close at the end."""

    services: Mapping[type, Any] = field(default_factory=dict)
    endpoints: Sequence[Endpoints] = ()
    prepare: Sequence[Callable[[], Awaitable[None]]] = ()
    """Each is awaited before the server listens."""
    loops: Sequence[Callable[[], Awaitable[None]]] = ()
    """Each is started as a task and cancelled when the server stops."""
    close: Sequence[Callable[[], Awaitable[None]]] = ()
