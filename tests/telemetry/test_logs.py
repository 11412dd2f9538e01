"""Log lines have one form, whoever writes them."""

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator

import pytest
import structlog

from myelin.config.sections.serving import Logging
from myelin.telemetry.account import Account, account_of_request
from myelin.telemetry.logs import configure_logs, get_logger


class Noon:
    """A clock that stands still."""

    def now_ms(self) -> int:
        return 1_700_000_000_123

    def monotonic(self) -> float:
        return 0.0


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    yield
    structlog.reset_defaults()
    logging.getLogger().handlers[:] = handlers
    logging.getLogger().setLevel(level)


def configured(**config: str) -> io.StringIO:
    stream = io.StringIO()
    configure_logs(Logging(**config), Noon(), stream)
    return stream


def test_a_line_for_machines():
    stream = configured()
    get_logger("myelin.rooms").info("joined", room_id="!a:b", count=2, access_token="x", when=Noon)
    line = json.loads(stream.getvalue())
    assert line.pop("when").startswith("<class")
    assert line == {
        "event": "joined",
        "level": "info",
        "logger": "myelin.rooms",
        "timestamp": "2023-11-14T22:13:20.123Z",
        "room_id": "!a:b",
        "count": 2,
        "access_token": "[masked]",
    }


def test_a_line_for_people():
    stream = configured(format="console")
    get_logger("myelin.rooms").warning("joined", room_id="!a:b")
    assert stream.getvalue() == "2023-11-14T22:13:20.123Z [warning] joined [myelin.rooms] room_id=!a:b\n"


def test_auto_is_for_people_on_a_terminal_only():
    stream = Terminal()
    configure_logs(Logging(), Noon(), stream)
    get_logger("x").info("hello")
    assert "\x1b[" in stream.getvalue()


@pytest.mark.parametrize(("level", "written"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_lines_below_the_level_are_not_written(level: str, written: int):
    stream = configured(level=level)
    log = get_logger("x")
    for method in (log.debug, log.info, log.warning, log.error):
        method("hello")
    assert len(stream.getvalue().splitlines()) == written


def test_a_line_says_which_request_it_belongs_to():
    stream = configured()
    account_of_request.set(Account(17, 0.0))
    try:
        get_logger("x").info("hello")
    finally:
        account_of_request.set(None)
    assert json.loads(stream.getvalue())["request"] == 17


def test_a_traceback_is_redacted():
    stream = configured()
    try:
        raise ValueError("password=hunter2")
    except ValueError as error:
        get_logger("x").error("failed", exc_info=error)
    line = json.loads(stream.getvalue())
    assert "Traceback" in line["exception"]
    assert "hunter2" not in stream.getvalue()


def test_lines_of_libraries_look_the_same():
    stream = configured()
    logging.getLogger("aiohttp").warning("bad header %r", "Authorization: Bearer hunter2")
    assert json.loads(stream.getvalue()) == {
        "event": "bad header 'Authorization: Bearer [masked]'",
        "logger": "aiohttp",
        "level": "warning",
        "timestamp": "2023-11-14T22:13:20.123Z",
    }


def test_a_library_line_that_cannot_be_made_does_not_fail_its_caller(monkeypatch: pytest.MonkeyPatch):
    configured()
    monkeypatch.setattr(logging, "raiseExceptions", False)
    record = logging.LogRecord("aiohttp", logging.WARNING, "", 1, "%d", ("not a number",), None)
    ours = logging.getLogger().handlers[-1]
    assert ours.handle(record)


def test_a_serving_process_does_not_carry_rich():
    code = "import sys, myelin.telemetry.logs; sys.exit('rich' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
    code = "import sys, rich, myelin.telemetry.logs; sys.exit(sys.modules['rich'] is not rich)"
    subprocess.run([sys.executable, "-c", code], check=True)
