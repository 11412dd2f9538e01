"""What is kept of each request: its ID in the log, its count and latency, and where its time went if it was slow."""

from collections.abc import Awaitable, Coroutine
from itertools import count
from math import inf
from typing import Any, TypeVar

from myelin.config.sections.serving import Logging
from myelin.telemetry.account import Account, account_of_request
from myelin.telemetry.ambient import Clock
from myelin.telemetry.logs import get_logger
from myelin.telemetry.metrics import Figures
from myelin.telemetry.slow import Measured, write_slow_line

T = TypeVar("T")

_log = get_logger("myelin.http")


class RequestRecorder:
    """Hears of the start and the end of each request; both together take about a microsecond."""

    def __init__(self, config: Logging, figures: Figures, clock: Clock) -> None:
        self._writes_each = config.requests
        # A threshold of 0 means never.
        self._slow_seconds = config.slow_request_ms / 1000 or inf
        self._request_ended = figures.request_ended
        self._monotonic = clock.monotonic
        self._numbers = count(1)

    def started(self) -> Account:
        """A request begins: log lines and waits of this task and of those it starts belong to it."""
        account = Account(next(self._numbers), self._monotonic())
        account_of_request.set(account)
        return account

    def measured(self, account: Account, work: Coroutine[Any, Any, T]) -> Awaitable[T]:
        """The work, with the time that it holds the event loop put on the account."""
        return Measured(work, account, self._monotonic)

    def ended(self, account: Account, endpoint: str, method: str, status: int) -> None:
        """The request is answered."""
        seconds = self._monotonic() - account.started
        self._request_ended(endpoint, method, status, seconds)
        if seconds - account.news > self._slow_seconds:
            write_slow_line(account, endpoint, seconds)
        if self._writes_each:
            took_ms = round(seconds * 1000, 1)
            _log.info("request", endpoint=endpoint, method=method, status=status, took_ms=took_ms)

    def failed(self, endpoint: str, method: str, error: BaseException) -> None:
        """An unexpected error came out of the endpoint: our fault."""
        _log.error("request failed", endpoint=endpoint, method=method, exc_info=error)
