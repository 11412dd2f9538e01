"""What is counted comes out in Prometheus' form, and cannot be made to grow without bound."""

import time

import pytest
from prometheus_client.parser import text_string_to_metric_families

from myelin.telemetry.exposition import Exposition
from myelin.telemetry.metrics import BATCH_BOUNDS, Figures

# Generous: a machine that does other things too must pass. The goal is 2 microseconds.
MAX_SECONDS_A_REQUEST = 20e-6


def samples(figures: Figures) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample of ours on the page."""
    page = Exposition(figures).render().decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name.startswith("myelin_")
    }


def test_counters_and_gauges():
    figures = Figures()
    figures.counter("cache_hits", "Hits", cache="rooms").add()
    figures.counter("cache_hits", "Hits", cache="rooms").add(2)
    figures.counter("cache_hits", "Hits", cache="events").add()
    figures.gauge("rooms_in_memory", "Rooms", lambda: 7)
    assert samples(figures) == {
        ("myelin_cache_hits_total", (("cache", "rooms"),)): 3,
        ("myelin_cache_hits_total", (("cache", "events"),)): 1,
        ("myelin_rooms_in_memory", ()): 7,
    }


def test_a_histogram_counts_a_bound_into_its_own_bucket():
    figures = Figures()
    batches = figures.histogram("batch", "Batch sizes", BATCH_BOUNDS)
    for size in (1, 2, 2, 3, 1024, 1025):
        batches.observe(size)
    found = samples(figures)
    buckets = {dict(labels)["le"]: value for (name, labels), value in found.items() if name == "myelin_batch_bucket"}
    assert [buckets[bound] for bound in ("1.0", "2.0", "4.0", "512.0", "1024.0", "+Inf")] == [1, 3, 4, 4, 5, 6]
    assert found["myelin_batch_sum", ()] == 2057
    assert found["myelin_batch_count", ()] == 6


def test_requests_by_endpoint_method_and_status():
    figures = Figures()
    for status, seconds in ((200, 0.002), (200, 0.02), (429, 0.0001)):
        figures.request_ended("send_message", "PUT", status, seconds)
    figures.request_ended("sync", "GET", 200, 31.0)
    found = samples(figures)
    labels = (("endpoint", "send_message"), ("method", "PUT"))
    assert found["myelin_requests_total", (*labels, ("status", "200"))] == 2
    assert found["myelin_requests_total", (*labels, ("status", "429"))] == 1
    assert found["myelin_request_seconds_count", (("endpoint", "send_message"),)] == 3
    assert found["myelin_request_seconds_bucket", (("endpoint", "sync"), ("le", "30.0"))] == 0
    assert found["myelin_request_seconds_bucket", (("endpoint", "sync"), ("le", "60.0"))] == 1


def test_invented_methods_share_one_series():
    figures = Figures()
    for number in range(50):
        figures.request_ended("unrecognized", f"EVIL{number}", 405, 0.001)
    found = {key: value for key, value in samples(figures).items() if key[0] == "myelin_requests_total"}
    labels = (("endpoint", "unrecognized"), ("method", "OTHER"), ("status", "405"))
    assert found == {("myelin_requests_total", labels): 50}


def test_a_name_has_one_kind():
    figures = Figures()
    figures.counter("things", "Things")
    with pytest.raises(ValueError, match="things is a counter, not a histogram"):
        figures.histogram("things", "Things", BATCH_BOUNDS)


def test_counting_a_request_is_cheap():
    figures = Figures()
    count = 20_000
    before = time.process_time()
    for _ in range(count):
        figures.request_ended("sync", "GET", 200, 0.01)
    assert (time.process_time() - before) / count < MAX_SECONDS_A_REQUEST
