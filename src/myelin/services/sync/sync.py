"""`/sync`: everything that is new for a client since its token, or all that it must know to begin (spec: "Syncing")."""

from typing import Any

import msgspec
import orjson

from myelin.bus.feed import Feed
from myelin.matrix.filters import Filter
from myelin.services.e2ee.key_counts import KeyCounts
from myelin.services.e2ee.to_device import ToDevice
from myelin.services.presence.presence import Presence
from myelin.services.rooms.tokens import SyncToken
from myelin.services.sync.joined import DEFAULT_LIMIT, Reader
from myelin.services.sync.presences import Presences
from myelin.services.sync.room_sections import RoomSections
from myelin.services.sync.user_rooms import UserRooms
from myelin.services.sync.waiting import Waiting
from myelin.services.typing.typing_users import TypingUsers
from myelin.services.userdata.account_data import AccountData
from myelin.services.userdata.ignored_users import IgnoredUsers
from myelin.services.userdata.user_account_data import GLOBAL, UserAccountData
from myelin.telemetry.ambient import Clock

MAX_TO_DEVICE = 100
"""To-device messages in one answer; the token then stops short so that the rest follows."""


class SyncRequest(msgspec.Struct, frozen=True):
    """What a client asks for."""

    user_id: str
    device_id: str
    wanted: Filter
    since: SyncToken | None
    timeout_ms: int
    full_state: bool
    state_name: str
    set_presence: str


class Sync:
    """Answers at once where there is something to tell, else when there is, or when the time is over."""

    def __init__(
        self,
        feed: Feed,
        users: UserRooms,
        waiting: Waiting,
        sections: RoomSections,
        account_data: AccountData,
        ignored: IgnoredUsers,
        to_device: ToDevice,
        key_counts: KeyCounts,
        presences: Presences,
        presence: Presence,
        typing: TypingUsers,
        clock: Clock,
        *,
        max_timeout_ms: int,
        max_limit: int,
    ) -> None:
        self._feed = feed
        self._users = users
        self._waiting = waiting
        self._sections = sections
        self._account_data = account_data
        self._ignored = ignored
        self._to_device = to_device
        self._key_counts = key_counts
        self._presences = presences
        self._presence = presence
        self._typing = typing
        self._clock = clock
        self._max_timeout_ms = max_timeout_ms
        self._max_limit = max_limit

    async def sync(self, request: SyncRequest) -> bytes:
        """The answer as JSON."""
        await self._presence.synced(request.user_id, request.device_id, request.set_presence)
        since = request.since
        if since is not None and not self._to_device.has_none(request.user_id, request.device_id, -1):
            await self._to_device.delete_through(request.user_id, request.device_id, since.position)
        deadline = self._clock.monotonic() + min(request.timeout_ms, self._max_timeout_ms) / 1000
        left = deadline - self._clock.monotonic()
        if self._knows_all(request) and left > 0:
            await self._waiting.news(request.user_id, left)
        while True:
            told = self._waiting.told
            answer, is_news = await self._build(request)
            left = deadline - self._clock.monotonic()
            if is_news or since is None or request.full_state or left <= 0:
                return orjson.dumps(answer)
            # What was told while the answer was built woke nobody who waits only now: look again.
            if told == self._waiting.told and not await self._waiting.news(request.user_id, left):
                return orjson.dumps(answer)

    def _knows_all(self, request: SyncRequest) -> bool:
        """Whether nothing at all was told since the client's token, so that there is no need to look."""
        since = request.since
        return (
            since is not None
            and not request.full_state
            and since.position == self._feed.position
            and since.typing == self._typing.serial
            and since.presence == self._presence.serial
            and self._to_device.has_none(request.user_id, request.device_id, since.position)
        )

    async def _build(self, request: SyncRequest) -> tuple[dict[str, Any], bool]:
        reader = await self._reader(request)
        typing_serial, presence_serial = self._typing.serial, self._presence.serial
        view = self._users.recall(reader.user_id) or await self._users.of(reader.user_id)
        data = self._account_data.recall(reader.user_id) or await self._account_data.of(reader.user_id)
        until, to_device = await self._to_device_events(reader)
        if until < reader.until:
            reader = msgspec.structs.replace(reader, until=until)
        rooms, device_lists, newcomers = await self._sections.build(view, reader, data)
        answer: dict[str, Any] = {
            "next_batch": str(SyncToken(reader.until, typing_serial, presence_serial)),
            **device_lists,
        }
        if rooms:
            answer["rooms"] = rooms
        if to_device:
            answer["to_device"] = {"events": to_device}
        if own := _global_account_data(data, reader):
            answer["account_data"] = {"events": own}
        presence_since = request.since.presence if request.since is not None else None
        if present := await self._presences.events(view, reader, presence_since, newcomers):
            answer["presence"] = {"events": present}
        is_news = len(answer) > 1
        counts = self._key_counts.recall(reader.user_id, reader.device_id)
        if counts is None:
            counts = await self._key_counts.of(reader.user_id, reader.device_id)
        answer["device_one_time_keys_count"] = orjson.Fragment(counts.counts_json)
        answer["device_unused_fallback_key_types"] = orjson.Fragment(counts.fallback_json)
        return answer, is_news

    async def _reader(self, request: SyncRequest) -> Reader:
        limit = request.wanted.room.timeline.limit
        since = request.since
        if since is not None and since.position > self._feed.position:
            # The token comes from a process that has heard more than this one.
            await self._feed.reach(since.position)
        return Reader(
            user_id=request.user_id,
            device_id=request.device_id,
            wanted=request.wanted,
            since=None if since is None else min(since.position, self._feed.position),
            typing_since=0 if since is None else since.typing,
            until=self._feed.position,
            full_state=request.full_state,
            state_name=request.state_name,
            limit=min(DEFAULT_LIMIT if limit is None else limit, self._max_limit),
            ignored=await self._ignored.of(request.user_id),
        )

    async def _to_device_events(self, reader: Reader) -> tuple[int, list[Any]]:
        """Messages for the device, and the position up to which this answer can go."""
        since = reader.since or 0
        if self._to_device.has_none(reader.user_id, reader.device_id, since):
            return reader.until, []
        messages = await self._to_device.messages(reader.user_id, reader.device_id, since, reader.until, MAX_TO_DEVICE)
        until = messages[-1].position if len(messages) == MAX_TO_DEVICE else reader.until
        return until, [orjson.Fragment(message.json) for message in messages]


def _global_account_data(data: UserAccountData, reader: Reader) -> list[Any]:
    wanted = reader.wanted.account_data
    if wanted.passes_none or (reader.since is not None and data.latest <= reader.since):
        return []
    return [
        orjson.Fragment(entry.event)
        for entry in data.in_room(GLOBAL)
        if (reader.since is None or entry.position > reader.since) and wanted.matches(entry.type)
    ]
