"""Two matrix-js-sdk clients in a Node process of their own, driven one step at a time."""

import asyncio
import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any

FOLDER = Path(__file__).parent / "js"
STEP_DEADLINE_SECONDS = 300
CLOSE_DEADLINE_SECONDS = 60
LINE_LIMIT = 2**20


class StepFailed(Exception):
    """A step did not do what it should; the text is the client's own account of it."""


def node() -> Path:
    """Return the Node that npm installed for this machine's architecture."""
    found = list(FOLDER.glob("node_modules/node-linux-*/bin/node"))
    if not found:
        raise FileNotFoundError(f"no Node below {FOLDER}: script/test installs it")
    return found[0]


class JsSdkClients:
    """Alice and bob on matrix-js-sdk, with Rust crypto; use as `async with JsSdkClients(url, suffix) as clients`.

    Bob may be on a server of his own.
    """

    def __init__(self, homeserver: str, suffix: str, bobs_homeserver: str | None = None) -> None:
        self._opening = {"homeserver": homeserver, "suffix": suffix, "bobsHomeserver": bobs_homeserver}
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> "JsSdkClients":
        self._process = await asyncio.create_subprocess_exec(
            str(node()),
            "main.mjs",
            cwd=FOLDER,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=LINE_LIMIT,
            env={**os.environ, "NO_COLOR": "1"},
        )
        self._write(self._opening)
        return self

    async def step(self, name: str, **given: object) -> dict[str, Any]:
        """Run one step of `tests/peers/js/steps`; return what it saw. Raises `StepFailed`."""
        if self._process is None or self._process.stdout is None:
            raise StepFailed("the Node process is not running")
        self._write({"step": name, "with": given})
        line = await asyncio.wait_for(self._process.stdout.readline(), STEP_DEADLINE_SECONDS)
        if not line:
            raise StepFailed(f"{name}: the Node process ended with code {await self._process.wait()}")
        answer = json.loads(line)
        if not answer["ok"]:
            raise StepFailed(f"{name}: {answer['error']}")
        return answer["saw"] or {}

    def _write(self, message: object) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        process = self._process
        if process is None or process.stdin is None:
            return
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), CLOSE_DEADLINE_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()
