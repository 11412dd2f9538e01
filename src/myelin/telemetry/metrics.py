"""Figures of the running server, counted so cheaply that they are always on.

prometheus-client's own objects look labels up and take a lock on each call; here a hot path holds the one object that
it adds to. `exposition.py` gives them to prometheus-client when someone asks.
"""

from bisect import bisect_left
from collections.abc import Callable
from typing import NamedTuple, TypeVar, cast

# Seconds; a bucket holds what took at most that long.
LATENCY_BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
BATCH_BOUNDS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0)

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})

Labels = tuple[tuple[str, str], ...]


class Counter:
    """A number that only grows."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0

    def add(self, amount: float = 1) -> None:
        """Count something."""
        self.value += amount


class Histogram:
    """How observed values spread over buckets."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count a value in its bucket."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


F = TypeVar("F", Counter, Histogram)


class Series(NamedTuple):
    """One figure with its labels; a function is asked for its value when someone looks."""

    labels: Labels
    figure: Counter | Histogram | Callable[[], float]


class Family(NamedTuple):
    """All series of one name."""

    name: str
    help: str
    kind: str
    series: list[Series]


class Figures:
    """Everything that is counted in this process. Ask for a figure once, keep it, add to it."""

    def __init__(self) -> None:
        self.families: dict[str, Family] = {}
        self._known: dict[tuple[str, Labels], Counter | Histogram] = {}
        self._requests: dict[tuple[str, str, int], Counter] = {}
        self._latency: dict[str, Histogram] = {}

    def counter(self, name: str, description: str, **labels: str) -> Counter:
        """The counter of that name and those labels; names are without `myelin_` and `_total`."""
        return self._figure(name, description, "counter", labels, Counter)

    def histogram(self, name: str, description: str, bounds: tuple[float, ...], **labels: str) -> Histogram:
        """The histogram of that name and those labels."""
        return self._figure(name, description, "histogram", labels, lambda: Histogram(bounds))

    def gauge(self, name: str, description: str, read: Callable[[], float], **labels: str) -> None:
        """A figure that goes up and down, read when someone looks."""
        self._family(name, description, "gauge").series.append(Series(tuple(sorted(labels.items())), read))

    def request_ended(self, endpoint: str, method: str, status: int, seconds: float) -> None:
        """Count an answered request; takes less than a microsecond."""
        counter = self._requests.get((endpoint, method, status)) or self._request_counter(endpoint, method, status)
        counter.value += 1
        latency = self._latency.get(endpoint) or self._latency_histogram(endpoint)
        latency.counts[bisect_left(LATENCY_BOUNDS, seconds)] += 1
        latency.total += seconds

    def _request_counter(self, endpoint: str, method: str, status: int) -> Counter:
        # A client may send any word as its method: those that we do not know share one series.
        method = method if method in METHODS else "OTHER"
        counter = self.counter("requests", "Answered requests", endpoint=endpoint, method=method, status=str(status))
        return self._requests.setdefault((endpoint, method, status), counter)

    def _latency_histogram(self, endpoint: str) -> Histogram:
        histogram = self.histogram("request_seconds", "Time to the answer", LATENCY_BOUNDS, endpoint=endpoint)
        return self._latency.setdefault(endpoint, histogram)

    def _figure(self, name: str, description: str, kind: str, labels: dict[str, str], make: Callable[[], F]) -> F:
        key = (name, tuple(sorted(labels.items())))
        family = self._family(name, description, kind)
        if (known := self._known.get(key)) is not None:
            return cast("F", known)  # of that kind, or _family would have raised
        figure = make()
        self._known[key] = figure
        family.series.append(Series(key[1], figure))
        return figure

    def _family(self, name: str, description: str, kind: str) -> Family:
        family = self.families.setdefault(name, Family(name, description, kind, []))
        if family.kind != kind:
            raise ValueError(f"{name} is a {family.kind}, not a {kind}")
        return family
