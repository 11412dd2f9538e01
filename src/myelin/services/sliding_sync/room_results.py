"""A room in the answer: in full where the client does not know it yet, else what is new (MSC4186: `RoomResult`)."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from myelin.matrix.events.pdu import StateMap
from myelin.matrix.filters import EVERYTHING, UNFILTERED
from myelin.services.notifications.unread import Unread
from myelin.services.rooms.bundles import Bundles
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.room import MEMBER, Room
from myelin.services.rooms.timeline import BEGINNING, TimelineEvent, render
from myelin.services.rooms.tokens import page_token
from myelin.services.sliding_sync.bump_stamps import BumpStamps
from myelin.services.sliding_sync.request import RoomConfig
from myelin.services.sliding_sync.required_state import RequiredState
from myelin.services.sync.lazy_members import KnownMembers
from myelin.services.sync.rendering import Rendering
from myelin.services.sync.summaries import Summaries
from myelin.services.sync.timelines import Stretch, Timelines, Window
from myelin.services.sync.user_rooms import Standing
from myelin.store.state import StateStore
from myelin.telemetry.ambient import Clock

NAME = ("m.room.name", "")
AVATAR = ("m.room.avatar", "")
ALIAS = ("m.room.canonical_alias", "")


class Telling(msgspec.Struct, frozen=True):
    """What is to be told of one room, to whom, from where to where."""

    user_id: str
    device_id: str
    config: RoomConfig
    standing: Standing
    since: int | None
    """The client's token; None for a first request."""
    after: int | None
    """The client knows the room up to here; None: not at all."""
    until: int
    known: RequiredState | None
    """The state that the client was sent before."""
    is_expanded: bool
    """Whether it wants more of the timeline than it was sent before."""
    is_touched: bool
    """Whether something changed that is not an event."""
    is_direct: bool
    ignored: frozenset[str]
    members: KnownMembers

    @property
    def is_initial(self) -> bool:
        """Whether the client does not know the room yet."""
        return self.after is None


class Result(NamedTuple):
    """A room's result, and the IDs of the events in its timeline."""

    body: dict[str, Any]
    shown: frozenset[str] = frozenset()


class RoomResults:
    """Builds results for rooms that the reader is, or was, in."""

    def __init__(
        self,
        rooms: Rooms,
        state: StateStore,
        timelines: Timelines,
        rendering: Rendering,
        summaries: Summaries,
        bundles: Bundles,
        unread: Unread,
        bump_stamps: BumpStamps,
        clock: Clock,
    ) -> None:
        self._rooms = rooms
        self._state = state
        self._timelines = timelines
        self._rendering = rendering
        self._summaries = summaries
        self._bundles = bundles
        self._unread = unread
        self._bump_stamps = bump_stamps
        self._clock = clock

    async def joined(self, room: Room, telling: Telling) -> Result | None:
        """A room that the reader is in; None where there is nothing to tell."""
        stretch = await self._stretch(room, telling, telling.until)
        changed = await self._changed(room, telling, telling.until)
        required = telling.config.required
        if telling.is_initial:
            state = required.select_of(room)
        else:
            state = required.select(changed)
            if telling.known is not None and not telling.known.covers(required):
                known = telling.known
                state |= {k: e for k, e in required.select_of(room).items() if not known.wants(k)}
        if required.lazy:
            state = {**state, **_lazy_members(room, telling, stretch, changed)}
        is_told = telling.is_initial or telling.is_expanded or telling.is_touched
        if not (is_told or stretch.events or stretch.limited or state or changed):
            return None
        result = await self._timeline(room, telling, stretch)
        if state:
            result["required_state"] = await self._rendering.state(room, state, UNFILTERED)
        counts = await self._unread.of(room, telling.user_id, telling.standing.entered, telling.until, is_entry=True)
        result["notification_count"] = sum(counts.by_thread.values())
        result["highlight_count"] = sum(counts.highlights.values())
        result["bump_stamp"] = await self._bump_stamps.of(room, telling.until, telling.standing.position)
        await self._describe(result, room, telling, changed)
        return Result(result, frozenset(event.pdu.event_id for event in stretch.events))

    async def left(self, room: Room, telling: Telling) -> Result | None:
        """A room that the reader left or was put out of; None for one that they never were in and do not know of."""
        until = min(telling.standing.position, telling.until)
        history = await self._state.memberships_in(telling.user_id, room.room_id)
        if not any(m.membership == "join" and m.from_pos < until for m in history):
            return await self._refused(room, telling) if telling.after is not None else None
        stretch = await self._stretch(room, telling, until)
        required = telling.config.required
        if telling.after is None:
            rows = await self._state.at(room.room_id, until)
            whole: StateMap = {(row.type, row.state_key): row.event_id for row in rows}
            state = required.select(whole)
        else:
            state = required.select(await self._changes(room, telling.after, until))
        state = {**state, (MEMBER, telling.user_id): telling.standing.event_id}
        result = await self._timeline(room, telling, stretch)
        result["required_state"] = await self._rendering.state(room, state, UNFILTERED)
        result["bump_stamp"] = telling.standing.position
        if telling.after is None:
            await self._describe_as_of(result, room, whole)
        return Result(result)

    async def _refused(self, room: Room, telling: Telling) -> Result:
        """An invite or a knock that came to nothing."""
        own = {(MEMBER, telling.user_id): telling.standing.event_id}
        return Result(
            {
                "membership": telling.standing.membership,
                "bump_stamp": telling.standing.position,
                "required_state": await self._rendering.state(room, own, UNFILTERED),
            }
        )

    async def _stretch(self, room: Room, telling: Telling, until: int) -> Stretch:
        """The room's newest events: those after what the client knows, or more where it wants more."""
        from_start = telling.after is None or telling.is_expanded
        after = BEGINNING if from_start or telling.after is None else telling.after
        window = Window(after, until, telling.config.limit, EVERYTHING, telling.ignored)
        return await self._timelines.read(room, telling.user_id, window)

    async def _changed(self, room: Room, telling: Telling, until: int) -> StateMap:
        """The room's state that is newer than what the client knows."""
        after = telling.after
        if after is None or room.position <= after:
            return {}
        newer = room.timeline.newest(after, until, len(room.timeline) + 1)
        if newer is None or newer[1] or telling.standing.position > after:
            return await self._changes(room, after, until)
        keys = (event.pdu.key for event in newer[0] if event.pdu.is_state)
        return {key: room.state[key] for key in keys if key in room.state}

    async def _changes(self, room: Room, after: int, until: int) -> StateMap:
        rows = await self._state.changed(room.room_id, after, until)
        return {(row.type, row.state_key): row.event_id for row in rows}

    async def _timeline(self, room: Room, telling: Telling, stretch: Stretch) -> dict[str, Any]:
        result: dict[str, Any] = {"membership": telling.standing.membership}
        if telling.is_initial:
            result["initial"] = True
        if telling.is_expanded:
            result["unstable_expanded_timeline"] = True
        if not stretch.events and not stretch.limited and not telling.is_initial:
            return result
        now = self._clock.now_ms()
        user_id, device_id = telling.user_id, telling.device_id
        bundles = await self._bundles.of(room, stretch.events, user_id, device_id=device_id)
        result["timeline"] = [
            render(e, now, device_id=device_id, user_id=user_id, more=bundles.get(e.pdu.event_id, b""))
            for e in stretch.events
        ]
        result["limited"] = stretch.limited
        result["prev_batch"] = page_token(stretch.start)
        result["num_live"] = _live(stretch.events, telling)
        return result

    async def _describe(self, result: dict[str, Any], room: Room, telling: Telling, changed: StateMap) -> None:
        """Name, avatar, members and the like, as far as they are new."""
        is_initial = telling.is_initial
        name = _text(room, NAME, "name")
        if (is_initial and name is not None) or NAME in changed:
            result["name"] = name
        avatar = _text(room, AVATAR, "url")
        if (is_initial and avatar is not None) or AVATAR in changed:
            result["avatar"] = avatar
        members_changed = is_initial or any(key[0] == MEMBER for key in changed)
        if members_changed:
            result["joined_count"] = len(room.joined)
            result["invited_count"] = len(room.invited)
        if name is None and (members_changed or NAME in changed or ALIAS in changed):
            result["heroes"] = await self._heroes(room, telling.user_id)
        if telling.is_direct if is_initial else telling.is_touched:
            result["is_dm"] = telling.is_direct

    async def _heroes(self, room: Room, user_id: str) -> list[dict[str, str]]:
        """Whom to name the room after."""
        user_ids = await self._summaries.heroes(room, user_id) or []
        await self._rooms.hold_state(room, [(MEMBER, hero) for hero in user_ids])
        heroes = []
        for hero in user_ids:
            shown = {"user_id": hero}
            for field in ("displayname", "avatar_url"):
                value = _text(room, (MEMBER, hero), field)
                if value is not None:
                    shown[field] = value
            heroes.append(shown)
        return heroes

    async def _describe_as_of(self, result: dict[str, Any], room: Room, state: StateMap) -> None:
        """Name and avatar as they were when the reader had to go."""
        wanted = {key: state[key] for key in (NAME, AVATAR) if key in state}
        pdus = await self._rooms.load(wanted.values(), room.version)
        for key, field, shown_as in ((NAME, "name", "name"), (AVATAR, "url", "avatar")):
            pdu = pdus.get(wanted.get(key, ""))
            value = pdu.content.get(field) if pdu is not None else None
            if isinstance(value, str) and value:
                result[shown_as] = value


def _text(room: Room, key: tuple[str, str], field: str) -> str | None:
    """A text in a state event's content; None where there is none, or something else."""
    pdu = room.current(*key)
    value = pdu.content.get(field) if pdu is not None else None
    return value if isinstance(value, str) and value else None


def _live(events: Iterable[TimelineEvent], telling: Telling) -> int:
    """How many of the events have just happened."""
    since = telling.since
    return 0 if since is None else sum(event.position > since for event in events)


def _lazy_members(room: Room, telling: Telling, stretch: Stretch, changed: StateMap) -> StateMap:
    """Members that the timeline names and that came or went, but for those that the client was sent before."""
    keys = {(MEMBER, event.pdu.sender) for event in stretch.events}
    keys.update(event.pdu.key for event in stretch.events if event.pdu.type == MEMBER and event.pdu.is_state)
    if not stretch.limited and not telling.is_initial:
        keys.update(key for key in changed if key[0] == MEMBER)
    known = telling.members
    return {key: room.state[key] for key in keys if key in room.state and known.is_new(key[1], room.state[key])}
