"""Send each server what waits for it: one transaction after the other, none waiting for another server."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any

import structlog

from myelin.db.lease import LeaseLost
from myelin.db.sql import Statement
from myelin.services.federation.peers.errors import PeerFailed, PeerRefused
from myelin.services.federation.peers.paths import path_of
from myelin.services.federation.sending.backlog import Backlog
from myelin.services.federation.sending.destination import Destination
from myelin.services.federation.sending.ledger import Ledger
from myelin.services.federation.sending.outgoing_event import OutgoingEvent
from myelin.services.federation.sending.ports import Transport
from myelin.services.federation.sending.taken import TakenTransactions
from myelin.services.federation.sending.transaction import MAX_EDUS, MAX_PDUS, Transaction
from myelin.store.destinations import (
    begin_transaction,
    end_missed_rooms,
    end_outgoing_edu,
    end_transaction,
    note_missed_room,
)
from myelin.telemetry.ambient import Clock
from myelin.telemetry.metrics import Figures

GATHER_S = 0.01
"""Events that come within this time go together, after those who sent them are answered."""
EDU_INTERVAL_S = 1.0
"""Typing, receipts and presence alone are sent to a server at most so often; with events they go at once."""
TIMEOUT_S = 60.0
MAX_ANSWER_BYTES = 1024 * 1024
FIRST_RETRY_S = 1.0
LAST_RETRY_S = 60.0
"""The shortest wait after a failure; how long a server that is gone is left alone is for the transport to say."""
WAKE_INTERVAL_S = 10.0
"""A server that speaks to us and cannot be reached is tried at most so often because of that."""
MAX_SENT_AT_ONCE = 200
BEGUN_AT_ONCE = 8
"""Servers that are begun with in one turn of the loop: a connection costs a millisecond or two."""
END_GRACE_S = 3.0
"""How long requests that are under way may take to end when the server stops."""
REFUSED_FOR_GOOD = frozenset({400, 413, 422})
"""Statuses that say that something in a transaction is wrong: sent again it would be no better."""
CAREFUL_FOR = 200
"""So many transactions hold one thing each after one was refused, so that only the culprit is left out."""

_log = structlog.get_logger("myelin.federation")


class Transmissions:
    """A task a server for as long as something waits for it."""

    def __init__(
        self,
        server_name: str,
        transport: Transport,
        ledger: Ledger,
        backlog: Backlog,
        reached: Callable[[], int],
        next_id: Callable[[], str],
        clock: Clock,
        figures: Figures,
    ) -> None:
        self._server_name = server_name
        self._transport = transport
        self._ledger = ledger
        self._backlog = backlog
        self._reached = reached
        self._next_id = next_id
        self._clock = clock
        self._sent = figures.counter("federation_transactions", "Transactions to other servers", outcome="sent")
        self._failed = figures.counter("federation_transactions", "Transactions to other servers", outcome="failed")
        self._destinations: dict[str, Destination] = {}
        self._failing: set[Destination] = set()
        self._ready: dict[Destination, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._slots = asyncio.Semaphore(MAX_SENT_AT_ONCE)
        self._noting: asyncio.Future[None] | None = None
        self._ending = asyncio.Event()
        self.lease_lost = asyncio.Event()
        self._taken = TakenTransactions(ledger, self.lease_lost.set)

    async def begin(self, waiting: Iterable[str]) -> None:
        """Take up what was begun or noted before this process became the one that sends."""
        self._ending.clear()
        self.lease_lost.clear()
        for server_name in waiting:
            destination = self._of(server_name)
            destination.is_under_way = destination.is_behind = destination.is_noted = destination.has_edus = True
            self._wake(destination)

    def add(self, server_names: Iterable[str], event: OutgoingEvent) -> None:
        """Send an event to servers, but for our own."""
        for name in server_names:
            if name != self._server_name:
                destination = self._destinations.get(name) or self._of(name)
                destination.add(event)
                if not destination.is_failing:
                    self._wake(destination)

    def put_edu(self, server_names: Iterable[str], edu_type: str, content: Mapping[str, Any], key: str | None) -> None:
        """Send an EDU that need not outlive the process; a server that cannot be reached does without."""
        for name in server_names:
            if name != self._server_name:
                destination = self._destinations.get(name) or self._of(name)
                if not destination.is_failing:
                    destination.fleeting.put(edu_type, content, key)
                    self._wake(destination)

    def edus_queued(self, server_names: Iterable[str]) -> None:
        """EDUs for servers were written."""
        for name in server_names:
            destination = self._of(name)
            destination.has_edus = True
            if not destination.is_failing:
                self._wake(destination)

    def heard_from(self, server_name: str) -> None:
        """A server that speaks to us is tried at once."""
        destination = self._destinations.get(server_name)
        if destination is None or not destination.is_failing:
            return
        due = destination.tried_at + WAKE_INTERVAL_S
        if due <= self._clock.monotonic():
            self._retry(destination)
        else:
            destination.retry_at = min(destination.retry_at, due)

    def retry_due(self) -> None:
        """Try those servers again that have been left alone for long enough."""
        now = self._clock.monotonic()
        for destination in list(self._failing):
            if destination.retry_at <= now and not self._transport.is_backing_off(destination.server_name):
                self._retry(destination)

    async def note(self, position: int) -> None:
        """Write down what is not sent of the log up to a position, which then need not be looked at again."""
        statements: list[Statement] = []
        for destination in self._destinations.values():
            for room_id, since in destination.unnoted().items():
                statements.append(note_missed_room(destination.server_name, room_id, since, position))
                destination.noted.add(room_id)
                destination.missed.pop(room_id, None)
                destination.is_noted = True
        if not statements and position == self._ledger.position:
            return
        self._noting = asyncio.get_running_loop().create_future()
        try:
            await self._ledger.move(statements, position)
        finally:
            self._noting.set_result(None)
            self._noting = None

    async def end(self) -> None:
        """Begin with nothing more, and wait a little for what is under way."""
        self._ending.set()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        tasks = [d.task for d in self._destinations.values() if d.task is not None]
        for destination in self._destinations.values():
            destination.woken.set()
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=END_GRACE_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await self._taken.end()

    def forget(self) -> None:
        """Another process sends from now on, or this one begins anew: nothing is remembered."""
        self._taken.clear()
        self._destinations.clear()
        self._failing.clear()
        self._ready.clear()

    def _of(self, server_name: str) -> Destination:
        destination = self._destinations.get(server_name)
        if destination is None:
            destination = self._destinations[server_name] = Destination(server_name)
        return destination

    def _wake(self, destination: Destination) -> None:
        destination.woken.set()
        if destination.task is None:
            self._ready[destination] = None
            if self._timer is None:
                self._timer = asyncio.get_running_loop().call_later(GATHER_S, self._start_ready)

    def _start_ready(self) -> None:
        """Begin with some, those first whom others named first; the next have their turn after what these brought."""
        self._timer = None
        loop = asyncio.get_running_loop()
        for destination in list(islice(self._ready, BEGUN_AT_ONCE)):
            del self._ready[destination]
            if destination.task is None and not destination.is_failing and not self._ending.is_set():
                destination.task = loop.create_task(self._run(destination))
        if self._ready:
            self._timer = loop.call_later(0, self._start_ready)

    def _retry(self, destination: Destination) -> None:
        self._failing.discard(destination)
        destination.is_failing = False
        self._wake(destination)

    async def _run(self, destination: Destination) -> None:
        try:
            await self._drain(destination)
        except LeaseLost:
            self.lease_lost.set()
        except PeerFailed as error:
            await self._fail(destination, error)
        except Exception as error:  # noqa: BLE001  (whatever it was, it must not end this server for good)
            _log.error("sending failed", destination=destination.server_name, exc_info=error)
            await self._fail(destination, error)
        finally:
            destination.task = None
            if destination.is_idle and self._destinations.get(destination.server_name) is destination:
                del self._destinations[destination.server_name]

    async def _drain(self, destination: Destination) -> None:
        while not self._ending.is_set():
            destination.woken.clear()
            transaction = await self._next(destination)
            if transaction is not None:
                await self._send(destination, transaction)
            if destination.is_idle:
                return

    async def _fail(self, destination: Destination, error: Exception) -> None:
        self._failed.add()
        destination.failures += 1
        wait = min(FIRST_RETRY_S * 2 ** min(destination.failures - 1, 20), LAST_RETRY_S)
        destination.retry_at = self._clock.monotonic() + wait
        destination.fall_behind()
        destination.is_failing = True
        self._failing.add(destination)
        if destination.failures == 1:
            _log.info("a server cannot be sent to", destination=destination.server_name, reason=str(error))
        if isinstance(error, PeerRefused):
            await self._transport.note_failure(destination.server_name)

    async def _next(self, destination: Destination) -> Transaction | None:
        """What is to be sent now; None where something else had to be done first, or nothing waits."""
        if destination.is_under_way:
            transaction = await self._backlog.under_way(destination.server_name)
            destination.is_under_way = transaction is not None
            return transaction
        pdus: list[OutgoingEvent] = []
        ends: list[Statement] = []
        limit = 1 if destination.careful else MAX_PDUS
        if destination.is_behind:
            pdus, ends = await self._catch_up(destination, limit)
            until = 0
        else:
            pdus = destination.first(limit)
            until = pdus[-1].position if pdus else 0
        return await self._with_edus(destination, Transaction("", pdus, (), until=until, ends=ends))

    async def _with_edus(self, destination: Destination, transaction: Transaction) -> Transaction | None:
        """The transaction with the EDUs that wait."""
        durable = []
        if destination.has_edus and not (destination.careful and transaction.pdus):
            destination.has_edus = False
            durable = await self._backlog.edus(destination.server_name, 1 if destination.careful else MAX_EDUS)
            destination.has_edus = destination.has_edus or bool(durable)
        if not transaction.pdus and not durable and not await self._may_send_edus(destination):
            return None
        fleeting = destination.fleeting.take(MAX_EDUS - len(durable)) if not destination.careful else ()
        made = transaction._replace(transaction_id=self._next_id(), edus=durable, fleeting=fleeting)
        return made if made.items else None

    async def _may_send_edus(self, destination: Destination) -> bool:
        """Whether it is time for fleeting EDUs alone; where nothing waits at all, that is tidied up."""
        if not destination.fleeting:
            if destination.is_noted and not destination.is_behind:
                destination.is_noted = False
                destination.noted.clear()
                await self._ledger.write([end_missed_rooms(destination.server_name)])
            return False
        if destination.careful:
            destination.fleeting.clear()
            return False
        wait = destination.edus_at + EDU_INTERVAL_S - self._clock.monotonic()
        if wait > 0:
            await _wait(destination.woken, wait)
            destination.woken.clear()
            if destination.queue or destination.has_edus or self._ending.is_set():
                return False
            wait = destination.edus_at + EDU_INTERVAL_S - self._clock.monotonic()
        if wait > 0:
            return False
        destination.edus_at = self._clock.monotonic()
        return True

    async def _catch_up(self, destination: Destination, limit: int) -> tuple[list[OutgoingEvent], list[Statement]]:
        """What a server that is behind lacks; nothing where it is behind no longer."""
        name = destination.server_name
        if name in self._taken:
            await self._taken.write()
        while not self._ending.is_set():
            if self._noting is not None:
                await asyncio.shield(self._noting)
            until = self._reached()
            missed, destination.missed = destination.missed, {}
            destination.noted = set()
            if missed:
                destination.is_noted = True
                await self._ledger.write([note_missed_room(name, room, since, until) for room, since in missed.items()])
            rooms = await self._backlog.rooms(name)
            if rooms:
                events, ends = await self._backlog.missed(name, rooms, until, limit)
                if events:
                    return events, ends
                await self._ledger.write(ends)
            elif not destination.missed and not destination.noted:
                destination.is_behind = destination.is_noted = False
                break
        return [], []

    async def _send(self, destination: Destination, transaction: Transaction) -> None:
        name = destination.server_name
        if transaction.is_durable and not destination.is_under_way:
            before = self._taken.pop(name)
            begun = begin_transaction(name, before, transaction.transaction_id, transaction.contents())
            await self._ledger.write([begun])
            destination.is_under_way = True
            destination.drop(transaction.pdus)
        destination.tried_at = self._clock.monotonic()
        path = path_of("/_matrix/federation/v1/send/{}", transaction.transaction_id)
        body = transaction.body(self._server_name, self._clock.now_ms())
        try:
            async with self._slots:
                await self._transport.put(name, path, body, timeout_s=TIMEOUT_S, max_bytes=MAX_ANSWER_BYTES)
        except PeerRefused as error:
            if error.status not in REFUSED_FOR_GOOD:
                raise
            await self._refused(destination, transaction, error)
            return
        self._sent.add()
        await self._end(destination, transaction)

    async def _end(self, destination: Destination, transaction: Transaction) -> None:
        """The server has it, or will never."""
        name = destination.server_name
        destination.failures = 0
        destination.careful = max(0, destination.careful - 1)
        if not transaction.is_durable:
            return
        id_, until = transaction.transaction_id, transaction.until
        if transaction.edus or transaction.ends:
            edus = [end_outgoing_edu(name, edu.position, edu.number) for edu in transaction.edus]
            await self._ledger.write([end_transaction(name, until, id_), *edus, *transaction.ends])
        else:
            self._taken.put(name, id_, until)
        destination.is_under_way = False

    async def _refused(self, destination: Destination, transaction: Transaction, error: PeerRefused) -> None:
        """Something in the transaction is wrong: find out what, and leave it out."""
        _log.warning(
            "a server refuses what it is sent",
            destination=destination.server_name,
            status=error.status,
            events=[pdu.event_id for pdu in transaction.pdus],
            edus=len(transaction.edus),
        )
        if transaction.items == 1 or not transaction.is_durable:
            await self._end(destination, transaction)
            return
        for pdu in transaction.pdus:
            destination.missed.setdefault(pdu.room_id, pdu.position)
            destination.noted.discard(pdu.room_id)
        destination.fall_behind()
        destination.careful = CAREFUL_FOR
        await self._ledger.write([end_transaction(destination.server_name, 0, transaction.transaction_id)])
        destination.is_under_way = False
        destination.has_edus = True


async def _wait(woken: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await woken.wait()
    except TimeoutError:
        return
