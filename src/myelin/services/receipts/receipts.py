"""Read receipts: how far each user has read, in the open or for themselves (spec: "Receipts")."""

from collections.abc import Iterable, Mapping
from typing import Any

from myelin.bus.feed import Feed
from myelin.bus.news import ReceiptMoved
from myelin.bus.recent import Recent
from myelin.bus.remembered import Remembered
from myelin.db.committer import Committer, Write
from myelin.db.connection import Database
from myelin.matrix.errors import Forbidden, InvalidParam, NotFound
from myelin.matrix.identifiers import is_event_id
from myelin.services.receipts.ports import EventPlace, ReadableRooms
from myelin.services.receipts.room_receipts import READ, READ_PRIVATE, UNTHREADED, Receipt, RoomReceipts
from myelin.store.receipts import ReceiptRow, ReceiptStore, put_receipt
from myelin.telemetry.ambient import Clock

MAX_REMEMBERED_ROOMS = 5_000
MAX_RECENT_CHANGES = 20_000
"""Moves kept in memory to tell which rooms have any; older ones are read from the database."""
MAIN = "main"
RECEIPT_TYPES = frozenset({READ, READ_PRIVATE})


class Receipts:
    """Reads from memory, writes through the log."""

    def __init__(
        self, database: Database, committer: Committer, feed: Feed, rooms: ReadableRooms, clock: Clock
    ) -> None:
        self._store = ReceiptStore(database)
        self._committer = committer
        self._rooms = rooms
        self._clock = clock
        self._remembered: Remembered[str, RoomReceipts] = Remembered(MAX_REMEMBERED_ROOMS)
        self._recent: Recent[str] = Recent(feed.position, MAX_RECENT_CHANGES)
        feed.subscribe(ReceiptMoved, self._hear)

    async def move(
        self,
        user_id: str,
        room_id: str,
        receipt_type: str,
        event_id: str,
        thread_id: Any = None,
        *,
        ts: int | None = None,
    ) -> None:
        """The user has read up to an event; a receipt that is further on stays where it is.

        `thread_id` is `main`, a thread's root, or None for all threads; `ts` says when, None: now. Raises InvalidParam,
        Forbidden or NotFound.
        """
        if receipt_type not in RECEIPT_TYPES:
            raise InvalidParam(f"There is no type of receipt called {receipt_type!r}")
        place = await self.readable(user_id, room_id, event_id)
        thread = _checked_thread(thread_id, event_id, place)
        known = (await self.of_room(room_id)).get(user_id, receipt_type, thread)
        if known is not None and known.event_position >= place.position:
            return
        ts = self._clock.now_ms() if ts is None else ts
        key = (room_id, user_id, receipt_type, thread)
        await self._committer.commit(
            Write(
                lambda position: [put_receipt(*key, event_id, place.position, ts, position)],
                news=[ReceiptMoved(*key, event_id, place.position, ts)],
            )
        )

    async def readable(self, user_id: str, room_id: str, event_id: str) -> EventPlace:
        """Where an event stands that the user can have read. Raises InvalidParam, Forbidden or NotFound."""
        if not is_event_id(event_id):
            raise InvalidParam("This is not an event ID")
        if not await self._rooms.is_joined(room_id, user_id):
            raise Forbidden("You are not in this room")
        place = await self._rooms.event_place(room_id, event_id)
        if place is None:
            raise NotFound("There is no such event in this room")
        return place

    @property
    def latest(self) -> int:
        """No receipt moved after this position."""
        return self._recent.latest

    def recall(self, room_id: str) -> RoomReceipts | None:
        """A room's receipts if they are in memory."""
        return self._remembered.recall(room_id)

    async def of_room(self, room_id: str) -> RoomReceipts:
        """A room's receipts. They change as the log goes on."""
        return await self._remembered.get(room_id, self._load)

    async def of_rooms(self, room_ids: Iterable[str]) -> Mapping[str, RoomReceipts]:
        """The receipts of many rooms, with one query for those that are not in memory."""
        found: dict[str, RoomReceipts] = {}
        missing: list[str] = []
        for room_id in room_ids:
            receipts = self._remembered.recall(room_id)
            if receipts is None:
                missing.append(room_id)
            else:
                found[room_id] = receipts
        if missing:
            found.update(await self._load_all(missing))
        return found

    async def rooms_changed(self, since: int, to: int) -> set[str]:
        """Rooms in which receipts moved after `since`, up to and including `to`; after a restart a few more."""
        recent = self._recent.between(since, to)
        return set(await self._store.rooms_since(since) if recent is None else recent)

    async def _load_all(self, room_ids: list[str]) -> dict[str, RoomReceipts]:
        rows: dict[str, list[ReceiptRow]] = {}

        async def load(room_id: str) -> RoomReceipts:
            if not rows:
                rows.update({missing: [] for missing in room_ids})
                for row in await self._store.in_rooms(room_ids):
                    rows[row.room_id].append(row)
            return RoomReceipts(_receipt(row) for row in rows[room_id])

        return {room_id: await self._remembered.get(room_id, load) for room_id in room_ids}

    async def _load(self, room_id: str) -> RoomReceipts:
        return RoomReceipts(_receipt(row) for row in await self._store.in_rooms([room_id]))

    def _hear(self, position: int, news: ReceiptMoved) -> None:
        self._recent.add(position, news.room_id)
        held = self._remembered.recall(news.room_id)
        if held is None:
            self._remembered.forget(news.room_id)
            return
        held.apply(
            Receipt(
                position,
                news.user_id,
                news.receipt_type,
                news.thread_id,
                news.event_id,
                news.event_position,
                news.ts,
            )
        )


def _receipt(row: ReceiptRow) -> Receipt:
    return Receipt(row.position, *row[2:])


def _checked_thread(thread_id: Any, event_id: str, place: EventPlace) -> str:
    """The thread as it is stored. Raises InvalidParam."""
    if thread_id is None:
        return UNTHREADED
    if not isinstance(thread_id, str) or not thread_id:
        raise InvalidParam("thread_id field must be a non-empty string")
    # A thread's root belongs to the main timeline; clients mark it as read in its thread too.
    if thread_id not in (place.thread_id, event_id):
        raise InvalidParam("The event is not in this thread")
    return thread_id
