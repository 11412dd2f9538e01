"""The figures in Prometheus' text form; imported only where they are served, for prometheus-client is not small."""

from collections.abc import Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from myelin.telemetry.metrics import Counter, Family, Figures, Histogram, Series

PREFIX = "myelin_"
CONTENT_TYPE = CONTENT_TYPE_LATEST


class Exposition:
    """Answers `/metrics`."""

    def __init__(self, figures: Figures) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)
        self._registry.register(_FiguresCollector(figures))

    def render(self) -> bytes:
        """The page, of the type `CONTENT_TYPE`."""
        return generate_latest(self._registry)


class _FiguresCollector(Collector):
    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        for family in self._figures.families.values():
            yield _metric(family)


def _metric(family: Family) -> Metric:
    names = sorted({name for series in family.series for name, _ in series.labels})
    name = PREFIX + family.name
    if family.kind == "histogram":
        histogram = HistogramMetricFamily(name, family.help, labels=names)
        for series in family.series:
            _add_histogram(histogram, _label_values(series, names), series.figure)
        return histogram
    metric = (CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily)(name, family.help, labels=names)
    for series in family.series:
        metric.add_metric(_label_values(series, names), _value(series))
    return metric


def _label_values(series: Series, names: list[str]) -> list[str]:
    labels = dict(series.labels)
    return [labels.get(name, "") for name in names]


def _value(series: Series) -> float:
    figure = series.figure
    if isinstance(figure, Counter):
        return figure.value
    assert not isinstance(figure, Histogram)
    return figure()


def _add_histogram(metric: HistogramMetricFamily, labels: list[str], figure: object) -> None:
    assert isinstance(figure, Histogram)
    bounds = [*(str(bound) for bound in figure.bounds), "+Inf"]
    metric.add_metric(labels, list(zip(bounds, accumulate(figure.counts), strict=True)), figure.total)
