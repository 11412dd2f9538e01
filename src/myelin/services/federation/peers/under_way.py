"""Requests to other servers that are under way: counted, timed, and so many to one server at most."""

from collections import Counter
from typing import Final, NamedTuple

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

    def to(self, server_name: str) -> "_Passage":
        """Count a request for the time of a block. Raises PeerUnreachable where too many are under way."""
        count = self._count.get(server_name, 0)
        if count >= MAX_UNDER_WAY:
            raise PeerUnreachable(f"{MAX_UNDER_WAY} requests to {server_name} are waiting for an answer already")
        self._count[server_name] = count + 1
        return _Passage(self, server_name, self._clock.monotonic())

    def end(self, server_name: str, started: float, error: BaseException | None) -> None:
        """A request ended."""
        self._ended[_outcome(error)].add()
        self._seconds.observe(self._clock.monotonic() - started)
        count = self._count[server_name] - 1
        if count:
            self._count[server_name] = count
        else:
            del self._count[server_name]


class _Passage(NamedTuple):
    """One request, from its beginning to its end."""

    under_way: UnderWay
    server_name: str
    started: float

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        self.under_way.end(self.server_name, self.started, error)


def _outcome(error: BaseException | None) -> str:
    if error is None:
        return "answered"
    if not isinstance(error, PeerFailed):
        return "gave_up"
    return next((name for kind, name in _KINDS.items() if isinstance(error, kind)), "nonsense")
