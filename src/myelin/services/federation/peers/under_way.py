"""Requests to other servers that are under way: counted, timed, and so many to one server at most."""

import contextlib
from collections import Counter
from collections.abc import Iterator
from typing import Final

from myelin.services.federation.peers.errors import PeerFailed, PeerNonsense, PeerRefused, PeerUnreachable
from myelin.telemetry.ambient import Clock
from myelin.telemetry.metrics import LATENCY_BOUNDS, Figures

MAX_UNDER_WAY: Final = 128
"""To one server, those that wait for a connection included. One that is slow must not fill the memory."""

_KINDS: Final = {PeerRefused: "refused", PeerNonsense: "nonsense", PeerUnreachable: "unreachable"}


class UnderWay:
    """Keeps the figures of outgoing requests; servers are not told apart in them."""

    def __init__(self, figures: Figures, clock: Clock) -> None:
        self._clock = clock
        self._count: Counter[str] = Counter()
        self._seconds = figures.histogram("peer_request_seconds", "Time of requests to other servers", LATENCY_BOUNDS)
        self._ended = {
            outcome: figures.counter("peer_requests", "Requests to other servers", outcome=outcome)
            for outcome in ("answered", "gave_up", *_KINDS.values())
        }
        figures.gauge("peer_requests_under_way", "Requests to other servers without an answer yet", self._count.total)

    @contextlib.contextmanager
    def to(self, server_name: str) -> Iterator[None]:
        """Count a request for the time of the block. Raises PeerUnreachable where too many are under way."""
        if self._count[server_name] >= MAX_UNDER_WAY:
            raise PeerUnreachable(f"{MAX_UNDER_WAY} requests to {server_name} are waiting for an answer already")
        self._count[server_name] += 1
        started = self._clock.monotonic()
        outcome = "gave_up"
        try:
            yield
            outcome = "answered"
        except PeerFailed as error:
            outcome = next((name for kind, name in _KINDS.items() if isinstance(error, kind)), "nonsense")
            raise
        finally:
            self._ended[outcome].add()
            self._seconds.observe(self._clock.monotonic() - started)
            self._leave(server_name)

    def _leave(self, server_name: str) -> None:
        self._count[server_name] -= 1
        if not self._count[server_name]:
            del self._count[server_name]
