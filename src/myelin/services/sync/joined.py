"""One joined room in a sync answer."""

from collections.abc import Mapping
from typing import Any

import msgspec
import orjson

from myelin.matrix.events.client_format import federation_event
from myelin.matrix.filters import Filter
from myelin.services.notifications.unread import Counts, Unread
from myelin.services.receipts.receipts import MAIN, Receipts
from myelin.services.rooms.bundles import Bundles
from myelin.services.rooms.room import MEMBER, Room
from myelin.services.rooms.timeline import TimelineEvent, render
from myelin.services.rooms.tokens import page_token
from myelin.services.sync.lazy_members import LazyMembers
from myelin.services.sync.states import States, own_membership, without_members
from myelin.services.sync.summaries import summary_of
from myelin.services.sync.timelines import Stretch, Timelines
from myelin.services.typing.typing_users import TypingUsers
from myelin.services.userdata.user_account_data import UserAccountData
from myelin.telemetry.ambient import Clock

DEFAULT_LIMIT = 10
FEDERATION = "federation"
STATE = "state"


class Reader(msgspec.Struct, frozen=True):
    """Who reads, how, and from where to where."""

    user_id: str
    device_id: str
    wanted: Filter
    since: int | None
    """None for a first sync."""
    typing_since: int
    until: int
    full_state: bool
    state_name: str
    """What a section calls its state: `state`, or a name of the state at the end of the timeline."""
    limit: int
    ignored: frozenset[str]

    @property
    def state_after(self) -> bool:
        """Whether the client wants the state after the timeline, not before it."""
        return self.state_name != STATE


class JoinedRooms:
    """Builds the sections of joined rooms."""

    def __init__(
        self,
        timelines: Timelines,
        states: States,
        bundles: Bundles,
        unread: Unread,
        receipts: Receipts,
        typing: TypingUsers,
        lazy: LazyMembers,
        clock: Clock,
    ) -> None:
        self._timelines = timelines
        self._states = states
        self._bundles = bundles
        self._unread = unread
        self._receipts = receipts
        self._typing = typing
        self._lazy = lazy
        self._clock = clock

    async def section(
        self, room: Room, reader: Reader, account_data: UserAccountData, *, joined_at: int, is_new: bool
    ) -> dict[str, Any] | None:
        """The room's section, or None where there is nothing to tell. `is_new`: the client does not know the room."""
        since = None if is_new else reader.since
        after = _BEGINNING if since is None else since
        wanted = reader.wanted.room
        stretch = await self._timelines.read(room, reader.user_id, after, reader.until, reader.limit, wanted.timeline)
        if reader.ignored:
            stretch = stretch._replace(events=[e for e in stretch.events if not _is_ignored(e, reader.ignored)])
        state = await self.state(room, reader, stretch, since)
        ephemeral = await self._ephemeral(room, reader, since)
        private = _account_data(account_data, room.room_id, reader, since)
        is_cut = stretch.limited and not wanted.timeline.passes_none
        is_told = since is None or stretch.events or is_cut or state or ephemeral or private
        if not is_told and not await self._receipts_moved(room, reader.user_id, since or 0):
            return None
        counts = await self._unread.of(room, reader.user_id, joined_at, reader.until)
        section: dict[str, Any] = {
            "timeline": await self.timeline(room, reader, stretch),
            reader.state_name: {"events": state},
            "ephemeral": {"events": ephemeral},
            "account_data": {"events": private},
            **_unread(counts, threads=wanted.timeline.unread_thread_notifications),
        }
        if since is None or reader.full_state or stretch.limited or _members_changed(stretch):
            section["summary"] = summary_of(room, reader.user_id)
        return section

    async def timeline(self, room: Room, reader: Reader, stretch: Stretch) -> dict[str, Any]:
        """The `timeline` of a section."""
        now = self._clock.now_ms()
        events: list[Any]
        if reader.wanted.event_format == FEDERATION:
            events = [federation_event(e.pdu) for e in stretch.events]
        else:
            bundles = await self._bundles.of(room, stretch.events, reader.user_id, device_id=reader.device_id)
            events = [
                render(
                    e, now, device_id=reader.device_id, user_id=reader.user_id, more=bundles.get(e.pdu.event_id, b"")
                )
                for e in stretch.events
            ]
        return {
            "events": projected(events, reader.wanted),
            "limited": stretch.limited,
            "prev_batch": page_token(stretch.start),
        }

    async def state(self, room: Room, reader: Reader, stretch: Stretch, since: int | None) -> list[Any]:
        """The `state` or `state_after` events of a section."""
        wanted = reader.wanted.room.state
        is_whole = since is None or reader.full_state
        if since is None or reader.full_state:
            state = await self._states.whole(room, stretch, reader.until, after=reader.state_after)
        else:
            state = await self._states.changes(room, stretch, since, reader.until, after=reader.state_after)
        if wanted.lazy_load_members and (is_whole or state or stretch.events):
            keep = self._states.of_senders(room, stretch.events)
            if is_whole:
                keep |= own_membership(room, reader.user_id)
            if not is_whole:
                # Whoever came or went in the gap must be told: clients encrypt to the members that they know of.
                keep |= {key: event_id for key, event_id in state.items() if key[0] == MEMBER}
            known = None
            if not wanted.include_redundant_members:
                known = self._lazy.of(reader.user_id, reader.device_id, room.room_id, afresh=is_whole)
            state = without_members(state, keep, known)
        raw = reader.wanted.event_format == FEDERATION
        return projected(await self._states.render(room, state, wanted, raw=raw), reader.wanted)

    async def _ephemeral(self, room: Room, reader: Reader, since: int | None) -> list[Any]:
        wanted = reader.wanted.room.ephemeral
        events: list[Any] = []
        if wanted.passes_none or not wanted.allows_room(room.room_id):
            return events
        if self._typing.serial_of(room.room_id) > (0 if since is None else reader.typing_since):
            event = self._typing.event(room.room_id)
            if event is not None and wanted.matches("m.typing"):
                events.append(orjson.Fragment(event))
        if wanted.matches("m.receipt"):
            receipts = self._receipts.recall(room.room_id) or await self._receipts.of_room(room.room_id)
            events.extend(map(orjson.Fragment, receipts.events(reader.user_id, since or 0, reader.until)))
        return events

    async def _receipts_moved(self, room: Room, user_id: str, since: int) -> bool:
        """Whether the user's own receipts moved: then the counts changed, even where the filter hides receipts."""
        receipts = self._receipts.recall(room.room_id) or await self._receipts.of_room(room.room_id)
        return receipts.latest > since and bool(receipts.read_up_to(user_id))


_BEGINNING = -(2**62)


def projected(events: list[Any], wanted: Filter) -> list[Any]:
    """Events with the fields that the filter asks for."""
    fields = wanted.event_fields
    if fields is None:
        return events
    return [fields.project(orjson.loads(orjson.dumps(event))) for event in events]


def _is_ignored(event: TimelineEvent, ignored: frozenset[str]) -> bool:
    return event.pdu.sender in ignored and not event.pdu.is_state


def _members_changed(stretch: Stretch) -> bool:
    return any(e.pdu.type == MEMBER for e in stretch.events)


def _account_data(data: UserAccountData, room_id: str, reader: Reader, since: int | None) -> list[Any]:
    wanted = reader.wanted.room.account_data
    if wanted.passes_none or not wanted.allows_room(room_id):
        return []
    if since is not None and data.latest <= since:
        return []
    return [
        orjson.Fragment(entry.event)
        for entry in data.in_room(room_id)
        if (since is None or entry.position > since) and wanted.matches(entry.type)
    ]


def _unread(counts: Counts, *, threads: bool) -> Mapping[str, Any]:
    if not threads:
        totals = {
            "notification_count": sum(counts.by_thread.values()),
            "highlight_count": sum(counts.highlights.values()),
        }
        return {"unread_notifications": totals}
    return {
        "unread_notifications": {
            "notification_count": counts.by_thread.get(MAIN, 0),
            "highlight_count": counts.highlights.get(MAIN, 0),
        },
        "unread_thread_notifications": {
            root: {"notification_count": count, "highlight_count": counts.highlights.get(root, 0)}
            for root, count in counts.by_thread.items()
            if root != MAIN
        },
    }
