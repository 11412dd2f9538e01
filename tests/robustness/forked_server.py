"""`myelin serve` in a process of its own that is there at once: forked from one that has imported everything already.

For tests that start the server again and again, where importing it takes most of the time.
"""

import ctypes
import multiprocessing
import os
import signal
import subprocess
from multiprocessing.process import BaseProcess
from typing import Any

from server_process import ServerProcess

_PR_SET_PDEATHSIG = 1
_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["myelin.app.run", "myelin.cli.serve", "asyncpg", "robustness.forked_server"])


def _serve(arguments: list[str], log_path: str) -> None:
    # A test run that is itself killed leaves no server behind.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    log = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ["NO_COLOR"] = "1"
    from myelin.cli.main import main

    main(arguments)


class _Fork:
    """The part of `subprocess.Popen` that a server process needs."""

    def __init__(self, process: BaseProcess) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def kill(self) -> None:
        self._process.kill()

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("myelin serve", timeout or 0)
        return self._process.exitcode


class ForkedServer(ServerProcess):
    """Like its parent, but for how the process comes to be."""

    def _launch(self) -> Any:
        words = self.command()
        process = _forks.Process(target=_serve, args=(words[words.index("serve") :], str(self.log_path)))
        process.start()
        return _Fork(process)
