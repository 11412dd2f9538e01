"""A request's time is accounted for, and said when it was too long."""

import asyncio
from collections.abc import Generator
from typing import Any

import pytest
from structlog.testing import capture_logs

from myelin.config.sections.serving import Logging
from myelin.telemetry.account import (
    account_of_request,
    add_database_seconds,
    add_news_seconds,
    add_peer_seconds,
)
from myelin.telemetry.metrics import Figures
from myelin.telemetry.requests import RequestRecorder


class Watch:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def now_ms(self) -> int:
        return 0

    def monotonic(self) -> float:
        return self.seconds


class Pause:
    """Gives the event loop away once; time passes meanwhile."""

    def __init__(self, watch: Watch, seconds: float) -> None:
        self.watch = watch
        self.seconds = seconds

    def __await__(self) -> Generator[Any, Any, None]:
        yield
        self.watch.seconds += self.seconds


@pytest.fixture
def watch() -> Watch:
    return Watch()


def recorder(watch: Watch, **config: Any) -> RequestRecorder:
    return RequestRecorder(Logging(**config), Figures(), watch)


async def test_a_slow_request_says_where_the_time_went(watch: Watch):
    requests = recorder(watch)
    account = requests.started()

    async def work() -> str:
        watch.seconds += 0.5
        await asyncio.create_task(waits())
        watch.seconds += 0.25
        return "done"

    async def waits() -> None:
        # In a task of its own: it shares the account.
        watch.seconds += 2
        add_database_seconds(0.75)
        add_peer_seconds(1)

    with capture_logs() as lines:
        assert await requests.measured(account, work()) == "done"
        requests.ended(account, "send_message", "PUT", 200)
    assert lines == [
        {
            "event": "slow request",
            "log_level": "warning",
            "endpoint": "send_message",
            "total_ms": 2750.0,
            "cpu_ms": 750.0,
            "database_ms": 750.0,
            "peers_ms": 1000.0,
            "news_ms": 0.0,
            "other_ms": 250.0,
        }
    ]


@pytest.mark.parametrize(
    ("threshold", "seconds", "news", "lines"),
    [(1000, 1.0, 0, 0), (1000, 1.125, 0, 1), (1000, 31, 30, 0), (1000, 31.5, 30, 1), (0, 9999, 0, 0), (1, 0.5, 0, 1)],
)
async def test_only_what_took_too_long_is_written(
    watch: Watch, threshold: int, seconds: float, news: float, lines: int
):
    requests = recorder(watch, slow_request_ms=threshold)
    account = requests.started()
    watch.seconds += seconds
    add_news_seconds(news)
    with capture_logs() as captured:
        requests.ended(account, "sync", "GET", 200)
    assert len(captured) == lines


async def test_each_request_has_its_own_account(watch: Watch):
    requests = recorder(watch)
    first, second = requests.started(), requests.started()
    add_database_seconds(1)
    assert (first.database, second.database) == (0, 1)
    assert second.number == first.number + 1
    assert account_of_request.get() is second


async def test_every_request_is_written_when_wanted(watch: Watch):
    requests = recorder(watch, requests=True)
    account = requests.started()
    watch.seconds += 0.0125
    with capture_logs() as lines:
        requests.ended(account, "sync", "GET", 200)
    assert [(line["event"], line["endpoint"], line["status"], line["took_ms"]) for line in lines] == [
        ("request", "sync", 200, 12.5)
    ]


async def test_a_failure_is_written_with_its_error(watch: Watch):
    error = ValueError("x")
    with capture_logs() as lines:
        recorder(watch).failed("sync", "GET", error)
    assert (lines[0]["log_level"], lines[0]["exc_info"]) == ("error", error)


def test_outside_of_a_request_nothing_is_accounted():
    add_database_seconds(1)
    add_peer_seconds(1)
    add_news_seconds(1)


class TestMeasuredWork:
    async def test_only_the_time_on_the_event_loop_counts(self, watch: Watch):
        requests = recorder(watch)
        account = requests.started()

        async def work() -> int:
            watch.seconds += 1
            await asyncio.sleep(0)
            watch.seconds += 2
            return 5

        async def other() -> None:
            watch.seconds += 10

        assert await asyncio.gather(requests.measured(account, work()), other()) == [5, None]
        assert account.held == 3

    async def test_errors_come_through(self, watch: Watch):
        requests = recorder(watch)

        async def work() -> None:
            await asyncio.sleep(0)
            raise KeyError("x")

        with pytest.raises(KeyError):
            await requests.measured(requests.started(), work())

    async def test_a_future_result_and_its_error_reach_the_work(self, watch: Watch):
        requests = recorder(watch)
        loop = asyncio.get_running_loop()
        good, bad = loop.create_future(), loop.create_future()
        loop.call_soon(good.set_result, 7)
        loop.call_soon(bad.set_exception, KeyError("x"))

        async def work() -> int:
            result: int = await good
            with pytest.raises(KeyError):
                await bad
            return result

        assert await requests.measured(requests.started(), work()) == 7

    async def test_a_cancellation_reaches_the_work_which_may_tidy_up(self, watch: Watch):
        requests = recorder(watch)
        tidied = asyncio.Event()
        begun = asyncio.Event()

        async def work() -> None:
            try:
                begun.set()
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0)
                tidied.set()

        async def measured() -> None:
            await requests.measured(requests.started(), work())

        task = asyncio.create_task(measured())
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert tidied.is_set()

    async def test_dropped_work_is_closed(self, watch: Watch):
        requests = recorder(watch)
        closed = []

        async def work() -> None:
            try:
                await Pause(watch, 1)
            finally:
                closed.append(True)

        step = requests.measured(requests.started(), work()).__await__()
        next(step)
        step.close()
        assert closed == [True]
