"""What is told of each request: a log line when it failed or was slow, and the counters."""

from typing import Any

import structlog

from myelin.config.config import Config
from myelin.telemetry.ambient import Clock

_log = structlog.get_logger("myelin.http")


class RequestObserver:
    """Hears of each request that ended."""

    def __init__(self, config: Config, clock: Clock) -> None:
        self._each = config.logging.requests
        self._clock = clock

    def started(self) -> Any:
        """A mark of the moment."""
        return self._clock.monotonic()

    def ended(self, mark: Any, endpoint: str, method: str, status: int) -> None:
        """The request is answered."""
        if self._each:
            took_ms = round((self._clock.monotonic() - mark) * 1000, 1)
            _log.info("request", endpoint=endpoint, method=method, status=status, took_ms=took_ms)

    def failed(self, endpoint: str, method: str, error: BaseException) -> None:
        """An unexpected error: our fault."""
        _log.error("request failed", endpoint=endpoint, method=method, exc_info=error)
