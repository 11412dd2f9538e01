"""A process of its own for what decodes files of others: started on the first job, ended when idle or late."""

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process

from myelin.matrix.errors import MyelinError

IDLE_S = 30.0
"""The process ends when it has had nothing to do for so long: at rest the server is one process."""
MAX_LINE = 64 * 1024

_ENVIRONMENT = {"LC_ALL": "C.UTF-8", "MALLOC_ARENA_MAX": "1"}
"""Nothing of the server's own environment, which may hold secrets."""


class DecodingEnded(MyelinError):
    """The process died of the job."""


class DecodingLate(MyelinError):
    """The job took too long, and the process was ended."""


class DecodingProcess:
    """Runs jobs one after the other in a process of their own: `worker` is the module that answers each line."""

    def __init__(self, worker: str, *, memory_mib: int, timeout_ms: int) -> None:
        self._worker = worker
        self._timeout_s = timeout_ms / 1000
        self._memory_mib = memory_mib
        self._process: Process | None = None
        self._turn = asyncio.Lock()
        self._idle: asyncio.TimerHandle | None = None
        self._ending: asyncio.Task[None] | None = None
        self._closed = False
        self.jobs_waiting = 0

    @property
    def pid(self) -> int | None:
        """The process's ID while it runs."""
        return self._process.pid if self._process is not None else None

    @property
    def has_ended(self) -> bool:
        """Whether the process ended by itself and will be replaced at the next job."""
        return self._process is not None and self._process.returncode is not None

    async def ask(self, line: bytes) -> bytes:
        """The worker's answer to a job, a line each way. Raises DecodingEnded or DecodingLate."""
        self.jobs_waiting += 1
        try:
            async with self._turn:
                self._stay()
                try:
                    return await self._ask_twice(line)
                finally:
                    self._idle = asyncio.get_running_loop().call_later(IDLE_S, self._end_idle)
        finally:
            self.jobs_waiting -= 1

    async def close(self) -> None:
        """End the process, and the job that it has."""
        self._closed = True
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
        await self._retire()

    async def _retire(self) -> None:
        async with self._turn:
            self._stay()
            await self._end()

    async def _ask_twice(self, line: bytes) -> bytes:
        """Once more with a new process where an old one died: it may have been of something else."""
        was_there = self._process is not None
        try:
            return await self._ask(line)
        except DecodingEnded:
            if not was_there or self._closed:
                raise
            return await self._ask(line)

    async def _ask(self, line: bytes) -> bytes:
        process = await self._started()
        try:
            async with asyncio.timeout(self._timeout_s):
                return await _exchange(process, line)
        except TimeoutError as error:
            await self._end()
            raise DecodingLate("the job took too long") from error
        except (OSError, ValueError) as error:
            await self._end()
            raise DecodingEnded(f"the process ended with {process.returncode}") from error
        except asyncio.CancelledError:
            await self._end()  # its next line would answer the wrong job
            raise

    async def _started(self) -> Process:
        if self._process is None or self._process.returncode is not None:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                "-m",
                self._worker,
                str(self._memory_mib),
                str(max(1, round(self._timeout_s))),
                stdin=PIPE,
                stdout=PIPE,
                stderr=DEVNULL,
                limit=MAX_LINE,
                env=_ENVIRONMENT,
                cwd="/",
                start_new_session=True,
            )
        return self._process

    def _stay(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None

    def _end_idle(self) -> None:
        self._ending = asyncio.get_running_loop().create_task(self._retire())

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            process.kill()
        await process.wait()
        if process.stdin is not None:
            process.stdin.close()


async def _exchange(process: Process, line: bytes) -> bytes:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(line)
    await process.stdin.drain()
    answer = await process.stdout.readline()
    if not answer.endswith(b"\n"):
        raise OSError("the process ended")
    return answer
