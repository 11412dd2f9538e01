"""Structured log lines on standard error, for people or for machines, without secrets."""

import logging
import sys
from collections.abc import Callable, MutableMapping, Sequence
from datetime import UTC, datetime
from typing import Any, TextIO

import orjson

from myelin.config.sections.serving import Logging
from myelin.telemetry.account import account_of_request
from myelin.telemetry.ambient import Clock
from myelin.telemetry.redaction import redact


def _without_rich() -> None:
    """Import structlog while it cannot see Rich.

    structlog.dev imports Rich, if it is installed, for tracebacks that we do not draw with it: 8 MiB and most of the
    import's time in every process.
    """
    missing = object()
    before = sys.modules.get("rich", missing)
    sys.modules["rich"] = None  # type: ignore[assignment]  # how Python marks a module that must not be imported
    try:
        import structlog.dev  # noqa: F401  (imported for what it leaves in sys.modules)
    finally:
        if before is missing:
            del sys.modules["rich"]
        else:
            sys.modules["rich"] = before  # type: ignore[assignment]  # what was there


_without_rich()
import structlog  # noqa: E402  (only after the import above)

Line = MutableMapping[str, Any]


def get_logger(name: str) -> "structlog.typing.FilteringBoundLogger":
    """A logger whose lines carry the name; a call below the configured level costs a fraction of a microsecond."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(name)
    return logger


def configure_logs(config: Logging, clock: Clock, stream: TextIO | None = None) -> None:
    """Send all log lines, also those of libraries, to the stream (standard error) in the configured form.

    Call it once, before the first line is logged.
    """
    out = stream if stream is not None else sys.stderr
    renderer = _renderer(config, out)
    processors: list[Any] = [
        structlog.processors.add_log_level,
        _stamp(clock),
        _add_name_and_request,
        structlog.processors.format_exc_info,
        redact,
        renderer,
    ]
    level = getattr(logging, config.level.upper())
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *names: _Lines(out, *names),
        cache_logger_on_first_use=True,
    )
    _take_over_library_lines(processors, level, out)


def _renderer(config: Logging, out: TextIO) -> Callable[..., str]:
    wants_console = config.format == "console" or (config.format == "auto" and out.isatty())
    if wants_console:
        return structlog.dev.ConsoleRenderer(
            colors=out.isatty(), pad_event_to=0, pad_level=False, exception_formatter=structlog.dev.plain_traceback
        )
    return _as_json


def _as_json(_logger: object, _method: str, line: Line) -> str:
    return orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def _stamp(clock: Clock) -> Callable[..., Line]:
    def stamp(_logger: object, _method: str, line: Line) -> Line:
        moment = datetime.fromtimestamp(clock.now_ms() / 1000, UTC)
        line["timestamp"] = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return line

    return stamp


class _Lines(structlog.WriteLogger):
    """Writes lines to the stream; knows the name of the logger that they come from."""

    def __init__(self, out: TextIO, name: str | None = None) -> None:
        super().__init__(out)
        self.name = name


def _add_name_and_request(logger: object, _method: str, line: Line) -> Line:
    if (name := getattr(logger, "name", None)) is not None:
        line["logger"] = name
    if (account := account_of_request.get()) is not None:
        line["request"] = account.number
    return line


def _take_over_library_lines(processors: Sequence[Any], level: int, out: TextIO) -> None:
    root = logging.getLogger()
    for previous in root.handlers[:]:
        if isinstance(previous, _LibraryLines):
            root.removeHandler(previous)
    root.addHandler(_LibraryLines(processors, out))
    # Libraries say at level info what is of use only to who debugs them.
    root.setLevel(max(level, logging.WARNING) if level > logging.DEBUG else logging.INFO)


class _LibraryLines(logging.Handler):
    """Gives the lines of the standard library's logging the same form and the same redaction."""

    def __init__(self, processors: Sequence[Any], out: TextIO) -> None:
        super().__init__()
        self._processors = processors
        self._out = out

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record as one of our lines."""
        try:
            line: Any = {"event": record.getMessage(), "logger": record.name}
            if record.exc_info:
                line["exc_info"] = record.exc_info
            for process in self._processors:
                line = process(None, record.levelname.lower(), line)
            self._out.write(f"{line}\n")
            self._out.flush()
        except Exception:  # noqa: BLE001  (logging must never fail the caller)
            self.handleError(record)
