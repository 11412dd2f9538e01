"""What is to be sent to other servers: our events by themselves, EDUs as they are handed in.

One process at a time holds the lease and follows the log; an event of a room that is in memory costs a few look-ups
for each server in the room, and no query.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

import structlog

from myelin.bus.feed import Feed
from myelin.bus.news import DeviceListChanged, EdusQueued, EventForwarded, RoomEvents
from myelin.db.committer import Committer, Write
from myelin.db.connection import Database
from myelin.db.lease import LeaseLost
from myelin.db.sql import Statement
from myelin.services.federation.sending.fleeting_edus import edu_json
from myelin.services.federation.sending.heard import Heard, LogReading, Sorting
from myelin.services.federation.sending.ledger import Ledger
from myelin.services.federation.sending.outgoing_event import OutgoingEvent
from myelin.services.federation.sending.ports import LogFollowers
from myelin.services.federation.sending.transmissions import Transmissions
from myelin.services.rooms.cache import Rooms
from myelin.store.destinations import DestinationStore, drop_replaced_edus, put_outgoing_edu
from myelin.telemetry.ambient import Clock

TAKE_EVERY_S = 5.0
"""How often a process that does not send looks whether it should."""
LOOK_EVERY_S = 1.0
"""How often servers are tried again that have been left alone for long enough."""
NOTE_EVERY_S = 10.0
"""How often it is written down how far the log is looked through, and the lease kept."""
MAX_HEARD = 10_000
"""More news than this at once are read back from the database."""
READ_AT_ONCE = 500
EDUS_KEPT_MS = 30 * 24 * 3_600_000
"""What a server did not fetch for so long is not kept for it any longer."""
FORGET_EVERY_S = 3_600.0

_log = structlog.get_logger("myelin.federation")


class OutgoingQueue:
    """The face of sending for everybody else."""

    def __init__(
        self,
        server_name: str,
        feed: Feed,
        database: Database,
        committer: Committer,
        rooms: Rooms,
        ledger: Ledger,
        transmissions: Transmissions,
        reading: LogReading,
        followers: LogFollowers,
        clock: Clock,
    ) -> None:
        self._server_name = server_name
        self._feed = feed
        self._store = DestinationStore(database)
        self._committer = committer
        self._rooms = rooms
        self._ledger = ledger
        self._transmissions = transmissions
        self._reading = reading
        self._followers = followers
        self._clock = clock
        self._sorting = Sorting(server_name)
        self._is_reading = False
        self._heard: list[Heard] = []
        self._is_overrun = False
        self._is_telling = False
        self._began_at = feed.position
        self._reached = 0
        self._news = asyncio.Event()
        self._noted_at = self._forgot_at = 0.0
        self.is_leading = False
        """Whether this process is the one that sends."""
        feed.subscribe(RoomEvents, self._hear_events)
        feed.subscribe(EventForwarded, self._hear_forwarded)
        feed.subscribe(EdusQueued, self._hear_edus)
        feed.subscribe(DeviceListChanged, self._hear_devices)

    async def put_edu(
        self, destinations: Iterable[str], edu_type: str, content: Mapping[str, Any], *, key: str | None = None
    ) -> None:
        """Send an EDU that is worth nothing tomorrow; one that waits under the same key is replaced by it."""
        if self.is_leading:
            self._transmissions.put_edu(destinations, edu_type, content, key)
        elif self._ledger.may_be_others:
            replaces = None if key is None else f"{edu_type} {key}"
            await self.put_durable_edu(destinations, edu_json(edu_type, content), replaces=replaces)

    async def put_durable_edu(self, destinations: Iterable[str], json: bytes, *, replaces: str | None = None) -> None:
        """Send an EDU, given as JSON, for which it is never too late; later ones under the same text replace it."""
        names = tuple(name for name in destinations if name != self._server_name)
        if names:
            now_ms = self._clock.now_ms()
            await self._committer.commit(
                Write(
                    lambda position: edu_statements(names, position, 0, json, now_ms, replaces),
                    news=[EdusQueued(names)],
                )
            )

    def heard_from(self, server_name: str) -> None:
        """The server speaks to us: what waits for it is tried at once."""
        self._transmissions.heard_from(server_name)

    @property
    def is_busy(self) -> bool:
        """Whether something that was heard is not yet with those who send it or follow the log."""
        return self._is_waiting() or bool(self._sorting) or self._is_telling

    def reached(self) -> int:
        """Up to which position all events are with those who send them."""
        return self._reached if self._is_waiting() else self._feed.position

    async def run(self) -> None:
        """Send whenever no other process does, for ever."""
        while True:
            if await self._ledger.take(self._began_at):
                await self._lead()
            await asyncio.sleep(TAKE_EVERY_S)

    async def _lead(self) -> None:
        self._heard.clear()
        self._sorting.clear()
        self._reached, until = self._ledger.position, self._feed.position
        self.is_leading = self._is_reading = True
        is_lost = False
        try:
            await self._transmissions.begin(await self._store.waiting())
            await self._read_back(until)
            await self._take_in()
            await self._follow()
        except LeaseLost:
            is_lost = True
            _log.warning("another process sends to other servers now")
        finally:
            self.is_leading = False
            await self._transmissions.end()
            if not is_lost:
                await self._stop()
            self._transmissions.forget()

    async def _stop(self) -> None:
        """Write down what is left, and let another process begin."""
        try:
            await self._transmissions.note(self._reached_for_good())
            await self._ledger.release()
        except LeaseLost:
            return

    async def _follow(self) -> None:
        self._noted_at = self._clock.monotonic()
        while True:
            try:
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._news.wait()
            except TimeoutError:
                self._transmissions.retry_due()
            self._news.clear()
            if self._transmissions.lease_lost.is_set():
                raise LeaseLost("another process sends")
            await self._take_in()
            await self._keep_books()

    async def _keep_books(self) -> None:
        now = self._clock.monotonic()
        if now - self._noted_at < NOTE_EVERY_S:
            return
        self._noted_at = now
        await self._ledger.renew()
        await self._transmissions.note(self._reached_for_good())
        if now - self._forgot_at >= FORGET_EVERY_S:
            self._forgot_at = now
            await self._store.forget_edus(self._clock.now_ms() - EDUS_KEPT_MS)
            await self._store.forget_forwarded(self._ledger.position)

    async def _take_in(self) -> None:
        """Deal with what could not be dealt with when it was heard."""
        while self._heard or self._is_overrun:
            self._is_reading = True
            heard, self._heard = self._heard, []
            until = self._feed.position
            if self._is_overrun:
                self._is_overrun = False
                await self._read_back(until)
            else:
                await self._pass_on(heard)
            self._reached = max(self._reached, until)
        # In the same step in which nothing more was waiting: from here on what is heard is passed on at once.
        self._is_reading = False
        changes = self._sorting.take()
        if changes is None:
            return
        self._is_telling = True
        try:
            for follower in self._followers:
                await follower.take_in(changes)
        except BaseException:
            self._sorting.put_back(changes)
            raise
        finally:
            self._is_telling = False

    async def _read_back(self, until: int) -> None:
        """Deal with what the log says from where it was looked through."""
        while self._reached < until:
            heard, last = await self._reading.between(self._reached, until, READ_AT_ONCE)
            self._sorting.users.update(await self._reading.changed_users(self._reached, last))
            self._transmissions.edus_queued(await self._reading.queued_for(self._reached, last))
            found = await self._reading.sorted(heard, self._sorting)
            got = await self._reading.positions({name for _, servers in found for name in servers})
            for event, servers in found:
                self._transmissions.add([name for name in servers if got.get(name, 0) < event.position], event)
            self._reached = last

    async def _pass_on(self, heard: list[Heard]) -> None:
        for event, servers in await self._reading.sorted(heard, self._sorting):
            self._transmissions.add(servers, event)

    def _is_waiting(self) -> bool:
        return self._is_reading or bool(self._heard) or self._is_overrun

    def _reached_for_good(self) -> int:
        """Up to which position nothing is left to be done that is not noted."""
        if self._is_waiting() or self._sorting:
            return max(self._reached, self._ledger.position)
        return self._feed.position

    def _hear_events(self, position: int, news: RoomEvents) -> None:
        if not self.is_leading:
            return
        room = self._rooms.peek(news.room_id)
        if room is None or self._is_waiting():
            for offset, pdu in enumerate(news.pdus):
                self._keep(Heard(position + offset, news.room_id, pdu.event_id, pdu))
            return
        servers = room.servers
        for offset, pdu in enumerate(news.pdus):
            targets = self._sorting.targets(position + offset, pdu, servers, room)
            if targets:
                event = OutgoingEvent(position + offset, pdu.room_id, pdu.event_id, pdu=pdu)
                self._transmissions.add(targets, event)
        if self._sorting:
            self._news.set()

    def _hear_forwarded(self, position: int, news: EventForwarded) -> None:
        if self.is_leading:
            self._keep(Heard(position, news.room_id, news.event_id, None, news.origin))

    def _hear_edus(self, _position: int, news: EdusQueued) -> None:
        if self.is_leading:
            self._transmissions.edus_queued(news.destinations)

    def _hear_devices(self, _position: int, news: DeviceListChanged) -> None:
        # Who alone may see a change is a user of ours, who is told without another server.
        if self.is_leading and not news.only_for and news.user_id.partition(":")[2] == self._server_name:
            self._sorting.users.add(news.user_id)
            self._news.set()

    def _keep(self, heard: Heard) -> None:
        if not self._is_waiting():
            self._reached = heard.position - 1
        if len(self._heard) < MAX_HEARD:
            self._heard.append(heard)
        else:
            self._is_overrun = True
        self._news.set()


def edu_statements(
    server_names: Iterable[str], position: int, number: int, json: bytes, now_ms: int, replaces: str | None
) -> list[Statement]:
    """What is written for an EDU to servers."""
    statements: list[Statement] = []
    for name in server_names:
        statements.append(put_outgoing_edu(name, position, number, replaces, now_ms, json))
        if replaces is not None:
            statements.append(drop_replaced_edus(name, replaces, position))
    return statements
