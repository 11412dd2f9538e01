"""One joined room in a sync answer."""

from typing import Any

import orjson

from myelin.matrix.sticky_events import STICKY
from myelin.services.notifications.unread import Unread
from myelin.services.receipts.receipts import Receipts
from myelin.services.receipts.room_receipts import RoomReceipts
from myelin.services.rooms.room import Room
from myelin.services.rooms.timeline import BEGINNING
from myelin.services.rooms.tokens import page_token
from myelin.services.sync.new_messages import NewMessages
from myelin.services.sync.reader import Reader
from myelin.services.sync.rendering import Rendering
from myelin.services.sync.states import States
from myelin.services.sync.sticky_sections import StickySections
from myelin.services.sync.summaries import SUMMARISED, Summaries, summary
from myelin.services.sync.timelines import Stretch, Timelines, Window
from myelin.services.typing.typing_users import TypingUsers
from myelin.services.userdata.user_account_data import UserAccountData


class JoinedRooms:
    """Builds the sections of joined rooms."""

    def __init__(
        self,
        timelines: Timelines,
        states: States,
        rendering: Rendering,
        new_messages: NewMessages,
        summaries: Summaries,
        unread: Unread,
        receipts: Receipts,
        typing: TypingUsers,
        sticky: StickySections,
    ) -> None:
        self._timelines = timelines
        self._states = states
        self._rendering = rendering
        self._new_messages = new_messages
        self._summaries = summaries
        self._unread = unread
        self._receipts = receipts
        self._typing = typing
        self._sticky = sticky

    async def section(
        self, room: Room, reader: Reader, data: UserAccountData, entered: int, since: int | None
    ) -> dict[str, Any] | orjson.Fragment | None:
        """The room's section, or None where there is nothing to tell; as JSON where it has nothing but new messages.

        The reader entered the room at the position `entered`; the client knows it as of `since`, None: not at all.
        """
        wanted = reader.wanted.room
        receipts = self._receipts.recall(room.room_id) or await self._receipts.of_room(room.room_id)
        ephemeral = self._ephemeral(room, reader, since, receipts)
        private = account_data(data, room.room_id, reader, since)
        if since is not None and not ephemeral and not private:
            messages = await self._new_messages.section(room, reader, entered, since)
            if messages is not None:
                return messages
        after = BEGINNING if since is None else since
        window = Window(after, reader.until, reader.limit, wanted.timeline, reader.ignored)
        stretch = await self._timelines.read(room, reader.user_id, window)
        heroes, is_summarised = None, _needs_summary(room, stretch, reader, since)
        if is_summarised:
            heroes = await self._summaries.heroes(room, reader.user_id)
        state = await self._states.events(room, reader, stretch, since, heroes=heroes or [])
        counts = await self._unread.of(
            room, reader.user_id, entered, reader.until, is_entry=True, ignored=reader.ignored
        )
        sticky = await self._sticky.events(room, reader, after, stretch, entered)
        is_told = since is None or reader.full_state or stretch.events or stretch.limited or counts.changed_at > since
        if not (is_told or state or ephemeral or private or sticky):
            return None
        section: dict[str, Any] = {
            "timeline": {
                "events": await self._rendering.timeline(room, reader, stretch.events, entered),
                "limited": stretch.limited,
                "prev_batch": page_token(stretch.start),
            },
            reader.state_name: {"events": state},
            "ephemeral": {"events": ephemeral},
            "account_data": {"events": private},
            **counts.as_json(threads=wanted.timeline.unread_thread_notifications),
        }
        if sticky:
            section[STICKY] = {"events": sticky}
        if is_summarised:
            section["summary"] = summary(room, heroes)
        return section

    def _ephemeral(self, room: Room, reader: Reader, since: int | None, receipts: RoomReceipts) -> list[Any]:
        wanted = reader.wanted.room.ephemeral
        events: list[Any] = []
        if not wanted.passes_all and (wanted.passes_none or not wanted.allows_room(room.room_id)):
            return events
        if self._typing.serial_of(room.room_id) > (0 if since is None else reader.typing_since):
            event = self._typing.event(room.room_id)
            if event is not None and wanted.matches("m.typing"):
                events.append(orjson.Fragment(event))
        if receipts.latest > (since or 0) and wanted.matches("m.receipt"):
            events.extend(map(orjson.Fragment, receipts.events(reader.user_id, since or 0, reader.until)))
        return events


def _needs_summary(room: Room, stretch: Stretch, reader: Reader, since: int | None) -> bool:
    """Whether the summary may be news to the client."""
    if since is None or reader.full_state or stretch.limited or stretch.hides_state or stretch.start > since:
        return True
    if room.changed_aside > since:
        return True
    return any(e.pdu.state_key is not None and e.pdu.type in SUMMARISED for e in stretch.events)


def account_data(data: UserAccountData, room_id: str, reader: Reader, since: int | None) -> list[Any]:
    """What the user keeps for a room, or with an empty ID for none, as far as the client does not know it."""
    wanted = reader.wanted.room.account_data if room_id else reader.wanted.account_data
    if wanted.passes_none or (since is not None and data.latest <= since):
        return []
    if room_id and not wanted.allows_room(room_id):
        return []
    return [
        orjson.Fragment(entry.event)
        for entry in data.in_room(room_id)
        if (since is None or since < entry.position <= reader.until) and wanted.matches(entry.type)
    ]
