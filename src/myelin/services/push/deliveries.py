"""Send what is queued, each pusher in its own order, none waiting for another's gateway."""

import asyncio
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

import orjson
import structlog

from myelin.db.committer import Committer, Write
from myelin.db.connection import Database
from myelin.http.client import RequestFailed
from myelin.services.push.composer import Composer
from myelin.services.push.gateway import PushGateway
from myelin.services.push.mail_digests import MailDigests
from myelin.services.push.pusher_checks import MAIL
from myelin.services.push.pushers import Pushers
from myelin.store.pushers import Pusher, PusherStore, QueuedPush, advance_pusher, end_push
from myelin.telemetry.ambient import Clock
from myelin.telemetry.metrics import Figures

FIRST_RETRY_S = 1.0
LAST_RETRY_S = 300.0
"""The wait doubles from the one to the other for as long as the gateway fails."""
GIVE_UP_MS = 3_600_000
"""Nobody wants to be called for what is older."""
LONGEST_PAUSE_S = 60.0
"""A digest's time is looked at again after so long."""
MAX_SENT_AT_ONCE = 128
MAX_SENT_TO_A_HOST = 16
END_GRACE_S = 3.0
"""How long requests that are under way may take to end when the server stops."""

_log = structlog.get_logger("myelin.push")


class Deliveries:
    """A task a pusher for as long as something is queued for it."""

    def __init__(
        self,
        database: Database,
        committer: Committer,
        gateway: PushGateway,
        composer: Composer,
        digests: MailDigests | None,
        pushers: Pushers,
        clock: Clock,
        figures: Figures,
    ) -> None:
        self._store = PusherStore(database)
        self._committer = committer
        self._gateway = gateway
        self._composer = composer
        self._digests = digests
        self._pushers = pushers
        self._clock = clock
        self._sent = figures.counter("push_notifications", "Requests to push gateways", outcome="sent")
        self._failed = figures.counter("push_notifications", "Requests to push gateways", outcome="failed")
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._woken: set[int] = set()
        self._ending = asyncio.Event()
        self._slots = asyncio.Semaphore(MAX_SENT_AT_ONCE)
        self._hosts: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def begin(self) -> None:
        """Take up what was queued and not sent before the process began."""
        self._ending.clear()
        await self._store.delete_orphans()
        for pusher_id in await self._store.waiting():
            self.wake(pusher_id)

    def is_sending(self, pusher_id: int) -> bool:
        """Whether something is queued for a pusher, or was until just now."""
        return pusher_id in self._tasks

    def wake(self, pusher_id: int) -> None:
        """Something is queued for a pusher."""
        self._woken.add(pusher_id)
        if pusher_id not in self._tasks and not self._ending.is_set():
            self._tasks[pusher_id] = asyncio.get_running_loop().create_task(self._run(pusher_id))

    async def end(self) -> None:
        """Begin with nothing more, and wait a little for what is under way."""
        self._ending.set()
        tasks = list(self._tasks.values())
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=END_GRACE_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, pusher_id: int) -> None:
        try:
            await self._drain(pusher_id)
        finally:
            # In the same step in which it found nothing more: nobody wakes a task that is not listening any more.
            self._tasks.pop(pusher_id, None)

    async def _drain(self, pusher_id: int) -> None:
        wait_s = 0.0
        while not self._ending.is_set():
            self._woken.discard(pusher_id)
            try:
                more = await self._send_next(pusher_id)
            except RequestFailed as error:
                self._failed.add()
                _log.info("push gateway failed", pusher=pusher_id, reason=str(error))
            except Exception as error:  # noqa: BLE001  (whatever it was, it must not end this pusher for good)
                _log.error("notification failed", pusher=pusher_id, exc_info=error)
            else:
                wait_s = 0.0
                if more or pusher_id in self._woken:
                    continue
                return
            wait_s = min(wait_s * 2, LAST_RETRY_S) if wait_s else FIRST_RETRY_S
            await self._pause(wait_s)

    async def _send_next(self, pusher_id: int) -> bool:
        """Send what is first; False where nothing is queued. Raises RequestFailed."""
        queued = await self._store.next_two(pusher_id)
        if not queued:
            return False
        pusher = await self._store.pusher(pusher_id)
        if pusher is None:
            await self._store.delete_orphans()
            return False
        if pusher.kind == MAIL:
            return await self._mail(pusher, queued[-1].position)
        first = queued[0]
        is_outdated = first.created_ts < self._clock.now_ms() - GIVE_UP_MS
        # An unread count is sent once, as it is after the last of several changes.
        if is_outdated or (not first.event_id and len(queued) > 1):
            await self._done(first, pusher.badge)
        else:
            await self._send(pusher, first)
        return True

    async def _mail(self, pusher: Pusher, position: int) -> bool:
        """Write the digest, or wait for its time; what is read meanwhile is not in it."""
        if self._digests is None:
            await self._committer.commit(Write(lambda _: [end_push(pusher.pusher_id, position)]))
            return True
        wait_s = await self._digests.deliver(pusher)
        if wait_s:
            await self._pause(min(wait_s, LONGEST_PAUSE_S))
        return True

    async def _send(self, pusher: Pusher, queued: QueuedPush) -> None:
        notification, unread = await self._composer.compose(pusher, queued)
        if notification is not None:
            url = orjson.loads(pusher.data)["url"]
            async with self._host(url), self._slots:
                rejected = await self._gateway.notify(url, notification)
            self._sent.add()
            if pusher.pushkey in rejected:
                await self._pushers.reject(pusher.app_id, pusher.pushkey)
                return
        await self._done(queued, unread)

    async def _done(self, queued: QueuedPush, unread: int) -> None:
        ended = end_push(queued.pusher_id, queued.position)
        advanced = advance_pusher(queued.pusher_id, queued.position, unread)
        await self._committer.commit(Write(lambda _: [ended, advanced]))

    def _host(self, url: str) -> asyncio.Semaphore:
        host = urlsplit(url).hostname or ""
        slots = self._hosts.get(host)
        if slots is None:
            slots = self._hosts[host] = asyncio.Semaphore(MAX_SENT_TO_A_HOST)
        return slots

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._ending.wait()
        except TimeoutError:
            return
