"""New messages in a room and nothing else: what most answers tell, put together once for all who are in the room.

Whatever takes more, such as state, a gap, relations, or the reader's own events, is left to `JoinedRooms`, which would
tell the same.
"""

from typing import Any, NamedTuple

import orjson

from myelin.matrix.filters import Filter
from myelin.services.notifications.unread import Unread
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.room import MEMBER, Room
from myelin.services.rooms.timeline import TimelineEvent, render_json
from myelin.services.rooms.tokens import page_token
from myelin.services.rooms.visibility import Visibility
from myelin.services.sync.changed_rooms import ChangedRooms
from myelin.services.sync.lazy_members import LazyMembers
from myelin.services.sync.reader import Reader
from myelin.services.sync.rendering import FEDERATION, JOINED
from myelin.services.sync.user_rooms import UserView
from myelin.telemetry.ambient import Clock

SHARED_FOR_MS = 20
"""For so long the ages of events are told as they were."""


class Shared(NamedTuple):
    """What all readers of a stretch are told."""

    made_ms: int
    senders: frozenset[str]
    head: bytes
    """A section's JSON up to the counts, which are each reader's own."""


class NewMessages:
    """Makes sections."""

    def __init__(
        self,
        rooms: Rooms,
        changed: ChangedRooms,
        visibility: Visibility,
        lazy: LazyMembers,
        unread: Unread,
        clock: Clock,
    ) -> None:
        self._rooms = rooms
        self._changed = changed
        self._visibility = visibility
        self._lazy = lazy
        self._unread = unread
        self._clock = clock

    async def only(self, view: UserView, reader: Reader) -> dict[str, Any] | None:
        """`rooms` where all that happened since the token is messages in one room; None where it is more than that.

        The caller knows that there is nothing but events of rooms, and that the reader entered and left none.
        """
        assert reader.since is not None
        room_id = self._changed.only(reader.since, reader.until)
        if room_id is None or room_id not in view.joined or not reader.wanted.room.allows_room(room_id):
            return None
        room = self._rooms.peek(room_id)
        if room is None:
            return None
        section = await self.section(room, reader, view.standings[room_id].entered, reader.since)
        return None if section is None else {"join": {room_id: section}}

    async def section(self, room: Room, reader: Reader, entered: int, since: int) -> orjson.Fragment | None:
        """A joined room's section as JSON to splice; None where it takes more than this."""
        wanted = reader.wanted
        if reader.full_state or room.position > reader.until or room.changed_aside > since or not is_plain(wanted):
            return None
        shared = self._shared(room, reader, since)
        if shared is None or reader.user_id in shared.senders or not reader.ignored.isdisjoint(shared.senders):
            return None
        if not self._visibility.sees_all(room, reader.user_id):
            return None
        if wanted.room.state.lazy_load_members and not self._knows(room, reader, shared, since):
            return None
        counts = await self._unread.of(
            room, reader.user_id, entered, reader.until, is_entry=True, ignored=reader.ignored
        )
        if wanted.room.timeline.unread_thread_notifications:
            return orjson.Fragment(shared.head + orjson.dumps(counts.as_json(threads=True))[1:])
        return orjson.Fragment(
            b'%b"unread_notifications":{"notification_count":%d,"highlight_count":%d}}'
            % (shared.head, counts.total, counts.highlight_total)
        )

    def _shared(self, room: Room, reader: Reader, since: int) -> Shared | None:
        held = room.timeline.newest(since, reader.until, reader.limit)
        if held is None or held[1] or not held[0]:
            return None
        events = held[0]
        now_ms = self._clock.now_ms()
        key = NewMessages, len(events), reader.state_name
        found = room.cached.get(key)
        if isinstance(found, Shared) and now_ms - found.made_ms <= SHARED_FOR_MS:
            return found
        if not all(map(_is_plain_message, events)):
            return None
        made = room.cached[key] = _made(events, reader.state_name, now_ms)
        return made

    def _knows(self, room: Room, reader: Reader, shared: Shared, since: int) -> bool:
        """Whether a client that loads members lazily has those who speak."""
        if reader.wanted.room.state.include_redundant_members:
            return False
        known = self._lazy.of(reader.user_id, reader.device_id, room.room_id)
        return all(known.has(sender, room.state.get((MEMBER, sender), ""), since) for sender in shared.senders)


def is_plain(wanted: Filter) -> bool:
    """Whether a filter leaves timelines as they are."""
    return wanted.room.timeline.passes_all and wanted.event_fields is None and wanted.event_format != FEDERATION


def _is_plain_message(event: TimelineEvent) -> bool:
    return event.pdu.state_key is None and not event.children


def _made(events: list[TimelineEvent], state_name: str, now_ms: int) -> Shared:
    rendered = b",".join(render_json(event, now_ms, more=JOINED) for event in events)
    head = (
        b'{"timeline":{"events":[%b],"limited":false,"prev_batch":"%b"},"%b":{"events":[]},'
        b'"ephemeral":{"events":[]},"account_data":{"events":[]},'
        % (rendered, page_token(events[0].position - 1).encode(), state_name.encode())
    )
    return Shared(now_ms, frozenset(event.pdu.sender for event in events), head)
