"""A real `myelin serve` in a process of its own, for tests that need the whole server or mean to kill it."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal

import aiohttp

from postgres import free_port

START_DEADLINE_SECONDS = 60
STOP_DEADLINE_SECONDS = 60
POLL_SECONDS = 0.02
# A test run that is itself killed leaves no server behind.
DIE_WITH_PARENT = ("setpriv", "--pdeathsig", "KILL", "--")

Registration = Literal["open", "token", "closed"]


class ServerFailed(Exception):
    """The server ended, or did not answer in time; the text carries its log."""


class ServerProcess:
    """One server on a free loopback port; it keeps port, name and data over kills and restarts."""

    def __init__(
        self,
        data: Path,
        *,
        database_url: str | None = None,
        settings: Sequence[str] = (),
        registration: Registration = "open",
        server_name: str | None = None,
    ) -> None:
        self.data = data
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.server_name = server_name or f"localhost:{self.port}"
        self.log_path = data.with_name(data.name + ".log")
        self._settings = ["rate_limits.enabled=false", *settings]
        if database_url is not None:
            self._settings.append(f"database.url={database_url}")
        self._registration = registration
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process ID of the server that runs now."""
        return self._running().pid

    @property
    def is_running(self) -> bool:
        """Whether it was started and not stopped or killed since."""
        return self._process is not None

    @property
    def log(self) -> str:
        """All that the server has printed, over all its starts."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def command(self) -> list[str]:
        """Return the command line that starts this server."""
        options = ["--data", str(self.data), "--listen", f"127.0.0.1:{self.port}", "--server-name", self.server_name]
        chosen = [word for setting in self._settings for word in ("--set", setting)]
        serve = [*DIE_WITH_PARENT, sys.executable, "-m", "myelin.cli.main", "serve"]
        return [*serve, *options, "--registration", self._registration, *chosen]

    async def start(self) -> None:
        """Start the server; return when it answers. Raises `ServerFailed` if it ends or takes over a minute."""
        process = self._process = self._launch()
        deadline = time.monotonic() + START_DEADLINE_SECONDS
        async with aiohttp.ClientSession() as session:
            while not await self._answers(session):
                if process.poll() is not None:
                    raise ServerFailed(f"exit code {process.returncode} at the start\n{self.log}")
                if time.monotonic() > deadline:
                    self.kill()
                    raise ServerFailed(f"no answer within {START_DEADLINE_SECONDS} s\n{self.log}")
                await asyncio.sleep(POLL_SECONDS)

    def _launch(self) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "NO_COLOR": "1"}
        with self.log_path.open("ab") as log:
            return subprocess.Popen(self.command(), stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment)

    async def _answers(self, session: aiohttp.ClientSession) -> bool:
        try:
            async with session.get(f"{self.url}/_matrix/client/versions") as response:
                return response.status == 200
        except aiohttp.ClientError:
            return False

    async def stop(self) -> None:
        """Ask the server to stop (SIGTERM) and wait. Raises `ServerFailed` unless its exit code is 0."""
        process = self._running()
        process.send_signal(signal.SIGTERM)
        try:
            code = await asyncio.to_thread(process.wait, STOP_DEADLINE_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ServerFailed(f"SIGTERM did not end it within {STOP_DEADLINE_SECONDS} s\n{self.log}") from None
        self._process = None
        if code != 0:
            raise ServerFailed(f"exit code {code} after SIGTERM\n{self.log}")

    def kill(self) -> None:
        """End the server at once (SIGKILL), as a power cut would."""
        process = self._running()
        process.kill()
        process.wait()
        self._process = None

    async def restart(self) -> None:
        """Stop in order, if it runs, and start again on the same data and port."""
        if self._process is not None:
            await self.stop()
        await self.start()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise ServerFailed("the server is not running")
        return self._process

    async def __aenter__(self) -> "ServerProcess":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._process is None:
            return
        if kind is None:
            await self.stop()
        else:
            self.kill()


async def started_server(
    tmp_path: Path,
    *,
    database_url: str | None = None,
    settings: Sequence[str] = (),
    registration: Registration = "open",
) -> ServerProcess:
    """Start `myelin serve` with its data under `tmp_path`; use as `async with await started_server(...) as server`.

    `settings` are `section.key=value`. Rate limits are off. Leaving the block stops it, or kills it on an error.
    """
    server = ServerProcess(tmp_path / "data", database_url=database_url, settings=settings, registration=registration)
    await server.start()
    return server
