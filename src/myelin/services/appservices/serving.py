"""One application service served: what waits is sent, in order, until it is taken."""

import asyncio
from collections.abc import Callable

import structlog

from myelin.bus.feed import ReadLog
from myelin.db.lease import RENEW_S
from myelin.http.client import RequestFailed
from myelin.services.appservices.backlog import Backlog
from myelin.services.appservices.composing import Composing
from myelin.services.appservices.cursor import AppserviceCursor
from myelin.services.appservices.registration import Registration
from myelin.services.appservices.requests import AppserviceRequests
from myelin.services.appservices.sorting import Sorting
from myelin.store.appservice_cursors import AppserviceCursorStore
from myelin.telemetry.metrics import Counter

FIRST_RETRY_S = 1.0
LAST_RETRY_S = 300.0
"""The wait doubles from the one to the other for as long as the application service fails."""
READ_AT_ONCE = 200
"""Positions of the log that are read back together."""

_log = structlog.get_logger("myelin.appservices")


class Serving:
    """A task for each application service that this process holds the lease of.

    What is new comes from `AppserviceLoop` while the backlog is short; who was away for longer is served from the log
    until it has caught up (`is_behind`).
    """

    def __init__(
        self,
        registration: Registration,
        cursor: AppserviceCursor,
        requests: AppserviceRequests,
        sorting: Sorting,
        composing: Composing,
        waiting: AppserviceCursorStore,
        read_log: ReadLog,
        progress: Callable[[], tuple[int, int]],
        counters: tuple[Counter, Counter],
    ) -> None:
        self.registration = registration
        self.is_behind = True
        self.backlog = Backlog(cursor.position)
        self._cursor = cursor
        self._requests = requests
        self._sorting = sorting
        self._composing = composing
        self._waiting = waiting
        self._read_log = read_log
        self._progress = progress
        """How far the log is known, and how far what is new was sorted."""
        self._sent, self._failed = counters
        self._news = asyncio.Event()
        self._ending = asyncio.Event()

    def wake(self) -> None:
        """Something may have come."""
        if self.backlog.is_full and not self.is_behind:
            # What is in memory stays; what comes is read from the log later.
            self.is_behind = True
        self._news.set()

    def end(self) -> None:
        """Begin with nothing more."""
        self._ending.set()
        self._news.set()

    async def run(self) -> None:
        """Serve until told to end. Raises LeaseLost, among others in a group."""
        try:
            async with asyncio.TaskGroup() as tasks:
                renewing = tasks.create_task(self._renew())
                await self._serve()
                renewing.cancel()
        finally:
            await self._cursor.release()

    async def _serve(self) -> None:
        if self._cursor.body is not None:
            await self._deliver(self._cursor.body)
        await self._find_messages()
        while not self._ending.is_set():
            if self.is_behind and not self.backlog:
                await self._read_on()
            elif not await self._send_next():
                await self._news.wait()
                self._news.clear()

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            await self._cursor.renew()

    async def _find_messages(self) -> None:
        """Messages for devices wait from long ago, perhaps from before the application service was there."""
        if not self.registration.wants_to_device:
            return
        for user_id, device_id in await self._waiting.waiting_devices():
            if self.registration.appservice_id in await self._sorting.owner(user_id):
                self.backlog.to_device[user_id, device_id] = None

    async def _read_on(self) -> None:
        """Take in the next part of the log, until there is something in it or its end is reached."""
        backlog, mine = self.backlog, {self.registration.appservice_id: self.backlog}
        while not backlog and not self._ending.is_set():
            known, sorted_until = self._progress()
            if backlog.until >= sorted_until:
                self.is_behind = False
                return
            until = min(known, backlog.until + READ_AT_ONCE)
            for position, news in await self._read_log(backlog.until + 1, until):
                await self._sorting.sort(position, news, mine)
            backlog.until = until
            self._cursor.position = max(self._cursor.position, backlog.floor)

    async def _send_next(self) -> bool:
        """Send the next transaction; False where nothing waits."""
        if not self.backlog:
            self._cursor.position = max(self._cursor.position, self.backlog.floor)
            return False
        transaction = await self._composing.next(self.registration, self.backlog)
        if transaction is not None:
            body, statements, position = transaction
            await self._cursor.begin(body, statements, max(position, self._cursor.position))
            await self._deliver(body)
        return True

    async def _deliver(self, body: bytes) -> None:
        """Send the transaction that was begun until it is taken, or the server stops."""
        wait_s = 0.0
        while not self._ending.is_set():
            try:
                await self._requests.send_transaction(self.registration, self._cursor.txn_id, body)
            except RequestFailed as error:
                self._failed.add()
                name = self.registration.appservice_id
                say = _log.info if wait_s else _log.warning
                say("an application service does not take its transactions", appservice=name, reason=str(error))
            else:
                self._sent.add()
                if wait_s:
                    _log.info("an application service is back", appservice=self.registration.appservice_id)
                self._cursor.taken()
                return
            wait_s = min(wait_s * 2, LAST_RETRY_S) if wait_s else FIRST_RETRY_S
            await self._pause(wait_s)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._ending.wait()
        except TimeoutError:
            return
