"""Transactions that servers took: written down a little later, with the next one or for all servers at once."""

import asyncio
import contextlib
from collections.abc import Callable

import structlog

from myelin.db.lease import LeaseLost
from myelin.matrix.errors import MyelinError
from myelin.services.federation.sending.ledger import Ledger
from myelin.store.destinations import end_transaction

WRITE_AFTER_S = 1.0
"""A process that is killed before repeats what was taken since, under the same ID, so that it is not taken twice."""

_log = structlog.get_logger("myelin.federation")


class TakenTransactions:
    """By server the last one that is not written, with the position up to which the server has all events."""

    def __init__(self, ledger: Ledger, lost: Callable[[], None]) -> None:
        self._ledger = ledger
        self._lost = lost
        self._waiting: dict[str, tuple[str, int]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    def __contains__(self, server_name: str) -> bool:
        return server_name in self._waiting

    def put(self, server_name: str, transaction_id: str, until: int) -> None:
        """Write it later."""
        self._waiting[server_name] = (transaction_id, until)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(WRITE_AFTER_S, self._begin)

    def pop(self, server_name: str) -> int:
        """The position up to which the server has all events, which the caller writes; 0 where nothing waits."""
        return self._waiting.pop(server_name, ("", 0))[1]

    async def write(self) -> None:
        """Write all that waits. Raises LeaseLost or DatabaseError."""
        waiting, self._waiting = self._waiting, {}
        if waiting:
            await self._ledger.write([end_transaction(name, until, id_) for name, (id_, until) in waiting.items()])

    async def end(self) -> None:
        """Write what waits, for the last time, unless another process sends by now."""
        self.forget()
        if self._task is not None:
            await asyncio.wait({self._task})
        with contextlib.suppress(LeaseLost):
            await self.write()

    def forget(self) -> None:
        """Write nothing by the clock any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def clear(self) -> None:
        """Another process sends from now on."""
        self.forget()
        self._waiting.clear()

    def _begin(self) -> None:
        self._timer = None
        self._task = asyncio.get_running_loop().create_task(self._write_by_the_clock())

    async def _write_by_the_clock(self) -> None:
        try:
            await self.write()
        except LeaseLost:
            self._lost()
        except MyelinError as error:
            # What is not written is repeated after a crash, and not before.
            _log.error("what servers took could not be written down", exc_info=error)
