"""`/events`: what is new as one flat list, as clients asked for it before there was `/sync` (spec: "Syncing")."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import orjson

from myelin.bus.feed import Feed
from myelin.http.requester import Requester
from myelin.matrix.filters import EVERYTHING
from myelin.services.presence.presence import Presence
from myelin.services.receipts.receipts import Receipts
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.client_events import ClientEvents
from myelin.services.rooms.room import Room
from myelin.services.rooms.timeline import TimelineEvent, render
from myelin.services.rooms.tokens import SyncToken
from myelin.services.sync.changed_rooms import ChangedRooms
from myelin.services.sync.presences import Presences
from myelin.services.sync.timelines import Timelines, Window
from myelin.services.sync.user_rooms import UserRooms, UserView
from myelin.services.sync.waiting import Waiting
from myelin.services.typing.typing_users import TypingUsers
from myelin.telemetry.ambient import Clock

MAX_EVENTS_PER_ROOM = 100
"""Of one room in one answer; what is older is left out, and is found by paginating back."""


class Page(NamedTuple):
    """What happened between two tokens."""

    start: SyncToken
    end: SyncToken
    chunk: list[Any]


class EventStream:
    """Answers when something happens, or when the time is over."""

    def __init__(
        self,
        feed: Feed,
        users: UserRooms,
        rooms: Rooms,
        waiting: Waiting,
        changed: ChangedRooms,
        timelines: Timelines,
        client_events: ClientEvents,
        receipts: Receipts,
        typing: TypingUsers,
        presence: Presence,
        clock: Clock,
        *,
        max_timeout_ms: int,
    ) -> None:
        self._feed = feed
        self._users = users
        self._rooms = rooms
        self._waiting = waiting
        self._changed = changed
        self._timelines = timelines
        self._client_events = client_events
        self._receipts = receipts
        self._typing = typing
        self._presence = presence
        self._presences = Presences(presence, users)
        self._clock = clock
        self._max_timeout_ms = max_timeout_ms

    async def next(
        self, requester: Requester, since: SyncToken | None, timeout_ms: int, *, room_id: str | None = None
    ) -> Page:
        """What is new since a token (None: from now on) in the user's rooms, or in the one room that they look at.

        The caller has checked that the user may read that room.
        """
        await self._presence.synced(requester.user_id, requester.device_id or "")
        start = self.now() if since is None else since
        if start.position > self._feed.position:
            # The token comes from a process that has heard more than this one.
            await self._feed.reach(start.position)
            start = start._replace(position=min(start.position, self._feed.position))
        deadline = self._clock.monotonic() + min(timeout_ms, self._max_timeout_ms) / 1000
        with self._waiting.poll(requester.user_id, peeking=room_id) as poll:
            while True:
                end = self.now()
                chunk = await self._between(requester, start, end, room_id)
                left = deadline - self._clock.monotonic()
                if chunk or left <= 0 or not await poll.news(left):
                    return Page(start, end, chunk)

    def now(self) -> SyncToken:
        """The token for the present."""
        return SyncToken(self._feed.position, self._typing.serial, self._presence.serial)

    async def _between(self, requester: Requester, start: SyncToken, end: SyncToken, room_id: str | None) -> list[Any]:
        view = await self._users.of(requester.user_id)
        among = view.joined if room_id is None else {room_id}
        events = await self._room_events(view, among, start.position, end.position)
        if room_id is None:
            events += await self._own_memberships(view, start.position, end.position)
        now_ms = self._clock.now_ms()
        by_id = {event.pdu.event_id: event for event in events}
        found = [
            render(event, now_ms, device_id=requester.device_id, user_id=requester.user_id, room_id=event.pdu.room_id)
            for event in sorted(by_id.values(), key=lambda event: event.position)
        ]
        found += await self._ephemeral(view.user_id, among, start, end)
        if room_id is None:
            found += await self._presences.of(view, EVERYTHING, start.presence)
        return found

    async def _room_events(
        self, view: UserView, room_ids: Iterable[str], after: int, until: int
    ) -> list[TimelineEvent]:
        events: list[TimelineEvent] = []
        for room_id in await self._changed.among(set(room_ids), after, until):
            room = await self._rooms.get(room_id)
            events += await self._read(view, room, after, until)
        return events

    async def _read(self, view: UserView, room: Room, after: int, until: int) -> list[TimelineEvent]:
        window = Window(after, until, MAX_EVENTS_PER_ROOM, EVERYTHING)
        return (await self._timelines.read(room, view.user_id, window)).events

    async def _own_memberships(self, view: UserView, after: int, until: int) -> list[TimelineEvent]:
        """The user's new invites, and what they still saw of rooms that they left."""
        events: list[TimelineEvent] = []
        for room_id, standing in view.changed_since(after):
            if standing.membership == "join" or standing.position > until:
                continue
            room = await self._rooms.get(room_id)
            if standing.membership in ("leave", "ban"):
                events += await self._read(view, room, after, standing.position)
            events += (await self._client_events.by_id(room, [standing.event_id])).values()
        return events

    async def _ephemeral(
        self, user_id: str, room_ids: Iterable[str], start: SyncToken, end: SyncToken
    ) -> list[dict[str, Any]]:
        """Typing notifications and receipts, which name their room here."""
        wanted = set(room_ids)
        found: list[tuple[str, bytes]] = []
        for room_id in wanted.intersection(self._typing.changed_rooms(start.typing)):
            event = self._typing.event(room_id)
            if event is not None:
                found.append((room_id, event))
        for room_id in wanted & await self._receipts.rooms_changed(start.position, end.position):
            receipts = await self._receipts.of_room(room_id)
            found += [(room_id, event) for event in receipts.events(user_id, start.position, end.position)]
        return [{**orjson.loads(event), "room_id": room_id} for room_id, event in found]
