"""Transactions put together from what waits (spec: application service API, "Pushing events")."""

from typing import Any, NamedTuple

import orjson

from myelin.bus.news import ReceiptMoved
from myelin.db.sql import Statement
from myelin.matrix.events.client_format import stripped_state_event
from myelin.services.appservices.backlog import Backlog, Device, WaitingEvent
from myelin.services.appservices.registration import Registration
from myelin.services.appservices.user_queries import UserQueries
from myelin.services.e2ee.key_counts import KeyCounts
from myelin.services.presence.presence import Presence
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.client_events import ClientEvents
from myelin.services.rooms.room import MEMBER, Room
from myelin.services.rooms.stripped_state import STRIPPED_TYPES, told_with
from myelin.services.rooms.timeline import TimelineEvent, render_json
from myelin.services.typing.typing_users import TypingUsers
from myelin.store.appservice_cursors import end_to_device
from myelin.store.to_device import ToDeviceStore
from myelin.telemetry.ambient import Clock

MAX_EVENTS = 100
"""Room events in one transaction, and to-device messages."""
MAX_BODY_BYTES = 8 * 1_048_576
"""Of the events of one transaction, but for a single one that is larger alone."""
_TO_DEVICE = ("to_device", "de.sorunome.msc2409.to_device")
_EPHEMERAL = ("ephemeral", "de.sorunome.msc2409.ephemeral")
_LISTS = ("device_lists", "org.matrix.msc3202.device_lists")
_COUNTS = (
    "device_one_time_keys_count",
    "org.matrix.msc3202.device_one_time_keys_count",
    "org.matrix.msc3202.device_one_time_key_counts",
)
_FALLBACK = ("device_unused_fallback_key_types", "org.matrix.msc3202.device_unused_fallback_key_types")


class Transaction(NamedTuple):
    """A body, what is written together with it, and up to where the log is sent once it is taken."""

    body: bytes
    statements: list[Statement]
    position: int


class Composing:
    """Takes from a backlog what goes into the next transaction."""

    def __init__(
        self,
        to_device: ToDeviceStore,
        rooms: Rooms,
        events: ClientEvents,
        typing: TypingUsers,
        presence: Presence,
        counts: KeyCounts,
        queries: UserQueries,
        clock: Clock,
    ) -> None:
        self._to_device = to_device
        self._rooms = rooms
        self._events = events
        self._typing = typing
        self._presence = presence
        self._counts = counts
        self._queries = queries
        self._clock = clock

    async def next(self, of: Registration, backlog: Backlog) -> Transaction | None:
        """The next transaction; None where nothing is left of what waited."""
        body: dict[str, Any] = {"events": await self._next_events(of, backlog)}
        statements: list[Statement] = []
        ephemeral = self._next_ephemeral(backlog)
        messages, counted = await self._next_to_device(backlog, statements)
        counted |= backlog.key_counts
        lists = {"changed": sorted(backlog.lists_changed), "left": sorted(backlog.lists_left)}
        for waiting in (backlog.key_counts, backlog.lists_changed, backlog.lists_left):
            waiting.clear()
        _put(body, _EPHEMERAL, ephemeral)
        _put(body, _TO_DEVICE, messages)
        if of.wants_encryption:
            _put(body, _LISTS, lists if lists["changed"] or lists["left"] else None)
            counts, fallback = await self._key_counts(counted)
            _put(body, _COUNTS, counts)
            _put(body, _FALLBACK, fallback)
        if len(body) == 1 and not body["events"]:
            return None
        return Transaction(orjson.dumps(body), statements, backlog.floor)

    async def _next_events(self, of: Registration, backlog: Backlog) -> list[Any]:
        found: list[Any] = []
        size = 0
        while backlog.events and len(found) < MAX_EVENTS:
            data = await self._event(of, backlog.events[0])
            if data is not None:
                size += len(data)
                if found and size > MAX_BODY_BYTES:
                    break
                found.append(orjson.Fragment(data))
            backlog.events.popleft()
        return found

    async def _event(self, of: Registration, waiting: WaitingEvent) -> bytes | None:
        """An event as the Client-Server API has it; None for one that is not there any more."""
        room = await self._rooms.find(waiting.room_id)
        event = None if room is None else await self._find(room, waiting.event_id)
        if event is None:
            return None
        if event.pdu.type == MEMBER and event.pdu.state_key is not None:
            await self._queries.have_user(of, event.pdu.state_key)
        more = (
            await self._introduction(room, event)
            if room is not None and of.has_user(event.pdu.state_key or "")
            else b""
        )
        return render_json(event, self._clock.now_ms(), room_id=waiting.room_id, more=more)

    async def _introduction(self, room: Room, event: TimelineEvent) -> bytes:
        """What its user is told of the room with an invite: `invite_room_state`, with a leading comma."""
        pdu = event.pdu
        if pdu.type != MEMBER or pdu.content.get("membership") != "invite":
            return b""
        told = told_with(pdu)
        if told is None:
            keys = [*((kind, "") for kind in STRIPPED_TYPES), (MEMBER, pdu.sender)]
            await self._rooms.hold_state(room, keys)
            told = [stripped_state_event(held) for key in keys if (held := room.current(*key)) is not None]
        return b',"invite_room_state":' + orjson.dumps(told)

    async def _find(self, room: Room, event_id: str) -> TimelineEvent | None:
        event = (await self._events.by_id(room, [event_id])).get(event_id)
        if event is None:
            # An invite from another server is in no timeline here.
            event = (await self._events.state(room, [event_id])).get(event_id)
            return event if event is not None and event.pdu.type == MEMBER else None
        return event

    def _next_ephemeral(self, backlog: Backlog) -> list[Any]:
        found: list[Any] = [_receipt(receipt) for receipt in backlog.receipts]
        for room_id in backlog.typing:
            event = self._typing.event(room_id)
            if event is not None:
                found.append({**orjson.loads(event), "room_id": room_id})
        for user_id in backlog.presence:
            event = self._presence.event(user_id)
            if event is not None:
                found.append(orjson.Fragment(event))
        for taken in (backlog.receipts, backlog.typing, backlog.presence):
            taken.clear()
        return found

    async def _next_to_device(
        self, backlog: Backlog, statements: list[Statement]
    ) -> tuple[list[Any], dict[Device, None]]:
        """The oldest messages of as many devices as there is room for, and these devices."""
        found: list[Any] = []
        devices: dict[Device, None] = {}
        for device in list(backlog.to_device):
            left = MAX_EVENTS - len(found)
            if left <= 0:
                break
            rows = await self._to_device.messages(*device, 0, 2**62, left)
            if rows:
                devices[device] = None
                found += [_addressed(orjson.loads(row.json), device) for row in rows]
                statements.append(end_to_device(*device, rows[-1].position))
            if len(rows) < left:
                del backlog.to_device[device]
        return found, devices

    async def _key_counts(self, devices: dict[Device, None]) -> tuple[dict[str, Any], dict[str, Any]]:
        counts: dict[str, Any] = {}
        fallback: dict[str, Any] = {}
        for user_id, device_id in devices:
            has = await self._counts.of(user_id, device_id)
            counts.setdefault(user_id, {})[device_id] = has.one_time_keys
            fallback.setdefault(user_id, {})[device_id] = has.unused_fallback_types
        return counts, fallback


def _put(body: dict[str, Any], names: tuple[str, ...], value: Any) -> None:
    """Say something under its name of today and those of old, if there is something to say."""
    if value:
        for name in names:
            body[name] = value


def _addressed(message: dict[str, Any], device: Device) -> dict[str, Any]:
    return {**message, "to_user_id": device[0], "to_device_id": device[1]}


def _receipt(receipt: ReceiptMoved) -> dict[str, Any]:
    data: dict[str, Any] = {"ts": receipt.ts}
    if receipt.thread_id:
        data["thread_id"] = receipt.thread_id
    content = {receipt.event_id: {receipt.receipt_type: {receipt.user_id: data}}}
    return {"type": "m.receipt", "room_id": receipt.room_id, "content": content}
