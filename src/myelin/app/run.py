"""Serve: listen, run the loops, and on SIGTERM stop in order."""

import asyncio
import contextlib
import gc
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog
import uvloop

from myelin.app.build import App, build
from myelin.app.exclusive import lock_data_directory
from myelin.app.metrics import metrics_listener
from myelin.config.config import Config
from myelin.http.listener import Listener
from myelin.http.tls import ServerIdentity

_log = structlog.get_logger("myelin.app")

GC_THRESHOLDS = (50_000, 20, 50)
"""Caches hold many long-lived objects: the collector looks at them less often than by default."""


def serve(config: Config, *, first_start: bool = False) -> None:
    """Run the server until it is told to stop."""
    uvloop.run(_serve(config, first_start=first_start))


async def _serve(config: Config, *, first_start: bool) -> None:
    with contextlib.ExitStack() as stack:
        if config.database_url.startswith("sqlite:"):
            stack.enter_context(lock_data_directory(config.data_directory))
        await _serve_until_stopped(await build(config), first_start=first_start)


async def _serve_until_stopped(app: App, *, first_start: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    async with Running(app) as running:
        sys.stderr.flush()
        _log.info("listening", addresses=running.addresses, first_start=first_start)
        await stop.wait()
        _log.info("stopping")


class Running:
    """An app that listens and runs its loops while the block lasts; at its end it drains and closes."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.addresses: list[str] = []
        config = app.ground.config
        self._listener = Listener(
            app.kernel,
            keepalive_s=config.limits.keepalive_timeout_ms / 1000,
            shutdown_s=config.limits.shutdown_timeout_ms / 1000,
        )
        self._metrics = metrics_listener(app.ground.figures) if config.metrics.enabled else None
        self._loops: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Running":
        server = self.app.ground.config.server
        loops = list(self.app.loops)
        for address in server.listen:
            self._note("http", *await self._listener.listen(address))
        if server.listen_tls:
            identity = ServerIdentity(Path(server.tls_certificate), Path(server.tls_private_key))
            for address in server.listen_tls:
                self._note("https", *await self._listener.listen(address, identity.context))
            loops.append(identity.run)
        if self._metrics is not None:
            await self._metrics.listen(self.app.ground.config.metrics.listen)
        self._loops = [asyncio.get_running_loop().create_task(_loop(run)) for run in loops]
        return self

    def _note(self, scheme: str, host: str, port: int) -> None:
        self.addresses.append(f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}")

    async def __aexit__(self, *_: object) -> None:
        for task in self._loops:
            task.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        await self._listener.close()
        if self._metrics is not None:
            await self._metrics.close()
        await self.app.close()


async def _loop(run: Callable[[], Awaitable[None]]) -> None:
    """Run a loop; one that fails is our fault and is started again."""
    while True:
        try:
            await run()
        except Exception as error:  # noqa: BLE001  (a loop must outlive any one failure)
            _log.error("loop failed", loop=getattr(run, "__qualname__", str(run)), exc_info=error)
            await asyncio.sleep(1)
        else:
            return
